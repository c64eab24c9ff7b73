package store

import (
	"fmt"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// A ROLLBACK goes back to what its invocation has found on the host, which would undo a later change too.
// So the changes of an address and port are kept in order, of all projects; those that are undone, or of
// another machine there, are passed over. That is asked when a ROLLBACK is submitted; what happens until
// it is done, the host itself tells (installer.Undone).

func changesAt(r *tasks.Record) []byte {
	target := r.Spec.Target
	if target == "" {
		target = installer.TargetTelescope
	}
	return kv.Join(target, r.Host.HostPort())
}

// noteChange is for the end of an attempt that left something else on the host,
// whether it has succeeded or not.
func noteChange(t *inventory.Tx, r *tasks.Record) {
	if r.State == installer.Succeeded && !r.ChangedHost() || r.State != installer.Succeeded && !r.Changed {
		return
	}
	number := t.Sequence(bChanges) + 1
	t.SetSequence(bChanges, number)
	t.Put(bChanges, append(changesAt(r), kv.Number(number)...), []byte(r.ID))
}

// laterChange finds the newest change of r's machine since those of r itself and of what
// it retries, which has succeeded and is not undone; nil: there is none.
func laterChange(t *inventory.Tx, r *tasks.Record) *tasks.Record {
	own := map[string]bool{}
	for of := r; of != nil; of = t.LoadAbout(of) {
		own[of.ID] = true
	}
	for _, id := range t.AllBackwards(bChanges, changesAt(r)) {
		if own[string(id)] {
			break
		}
		if other := t.Listed(string(id)); other.State == installer.Succeeded && t.OneMachine(r, other) {
			return other
		}
	}
	return nil
}

// forgetReplaced is for a new attempt. What an earlier one has left on the host is there no more once a
// later task has changed it, and the version before r is not the one that was found first.
func forgetReplaced(t *inventory.Tx, r *tasks.Record) {
	if r.Changed && r.Spec.Script == nil && laterChange(t, r) != nil {
		r.Outcome = installer.Outcome{CurrentVersion: installer.VersionUnknown}
	}
}

// checkSuperseded refuses a ROLLBACK, or a RETRY of one, that would undo a later task too.
func checkSuperseded(t *inventory.Tx, r *tasks.Record) error {
	if r.Task() != installer.Rollback || r.Of == "" {
		return nil
	}
	undone := undoneBy(t, r)
	if undone == nil || !undone.ChangedHost() {
		return nil
	}
	later := laterChange(t, undone)
	if later == nil {
		return nil
	}
	by := later.ID
	if later.ProjectID != r.ProjectID {
		by = "a task of another project"
	} else if installer.Allow(installer.Rollback, &later.Invocation) != nil { // it is the newest, so what forbids to undo it is its own
		return superseded{fmt.Sprintf("no %s: nothing undoes the later %s: use INSTALL or UPDATE", r.Type, by)}
	}
	return superseded{fmt.Sprintf("no %s: %v: %s", r.Type, installer.ErrSuperseded, by)}
}

// superseded is an installer.ErrSuperseded, in a line of at most 128 characters.
type superseded struct{ why string }

func (s superseded) Error() string { return s.why }

// Unwrap makes it ErrSuperseded.
func (s superseded) Unwrap() error { return installer.ErrSuperseded }

// undoneBy finds what a ROLLBACK undoes, over the RETRYs of it; nil: it is not stored any more.
func undoneBy(t *inventory.Tx, r *tasks.Record) *tasks.Record {
	for r != nil && r.Type != installer.Rollback {
		r = t.LoadAbout(r)
	}
	if r == nil {
		return nil
	}
	return t.LoadAbout(r)
}
