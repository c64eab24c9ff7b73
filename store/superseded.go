package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// A ROLLBACK goes back to what its invocation has found on the host. If a later one
// changed the host since, that would undo the later one's work too, so the changes
// of a place (an address and port) are a stack: the table of changes has them in
// the order in which they were made. Those that are undone stay in it, so that what
// came after them can be told; another machine at that place has a stack of its own.
// The projects share a stack, for they share the host. What other Tripods do, the
// host itself tells (installer.Undone).

func changesAt(r *tasks.Record) []byte {
	return kv.Join(targetOf(r), r.Host.HostPort())
}

func targetOf(r *tasks.Record) string {
	if r.Spec.Target == "" {
		return installer.TargetTelescope
	}
	return r.Spec.Target
}

// noteChange puts what has succeeded on top of the stack, if it changed its host.
func (t *tx) noteChange(r *tasks.Record) {
	if !r.ChangedHost() {
		return
	}
	prefix := changesAt(r)
	number := t.height(prefix) + 1
	t.Put(bChanges, binary.BigEndian.AppendUint64(prefix, number), []byte(r.ID))
}

// height is the number of the latest change, undone or not.
func (t *tx) height(prefix []byte) uint64 {
	for key := range t.AllBackwards(bChanges, prefix) {
		return binary.BigEndian.Uint64(key[len(prefix):])
	}
	return 0
}

// noteHeight is for what has changed its host and did not succeed: it is in no stack.
func (t *tx) noteHeight(r *tasks.Record) {
	if r.Changed && r.State != installer.Succeeded {
		height := t.height(changesAt(r))
		r.Height = &height
	}
}

// forgetReplaced is for a new attempt. What one before it, or what is retried, has
// left on the host is there no more once a later task has changed it: what is found
// then is not r's, and the version before r not the one that was found first.
func (t *tx) forgetReplaced(r *tasks.Record) error {
	if !r.Changed || r.Spec.Script != nil {
		return nil
	}
	from := r
	for from.Height == nil {
		of, err := t.Load(from.Of)
		if err != nil || of == nil || of.ProjectID != r.ProjectID || of.Seq >= from.Seq {
			return err
		}
		from = of
	}
	later, err := t.latestChange(r, func(number uint64, _ string) bool { return number <= *from.Height })
	if later != nil {
		r.Outcome = installer.Outcome{CurrentVersion: installer.VersionUnknown}
	}
	return err
}

// superseding finds the latest change of r's machine since r that is not undone;
// nil: there is none.
func (t *tx) superseding(r *tasks.Record) (*tasks.Record, error) {
	if !r.ChangedHost() {
		return nil, nil
	}
	return t.latestChange(r, func(_ uint64, id string) bool { return id == r.ID })
}

// latestChange finds the latest change of r's machine that is not undone, down to
// the one for which end holds; nil: there is none.
func (t *tx) latestChange(r *tasks.Record, end func(number uint64, id string) bool) (*tasks.Record, error) {
	prefix := changesAt(r)
	for key, id := range t.AllBackwards(bChanges, prefix) {
		if end(binary.BigEndian.Uint64(key[len(prefix):]), string(id)) {
			break
		}
		other, err := t.Load(string(id))
		if err != nil {
			return nil, err
		}
		if other == nil || other.State != installer.Succeeded {
			continue
		}
		if t.onOneMachine(r, other) {
			return other, nil
		}
	}
	return nil, nil
}

// onOneMachine: the two have worked on the same machine. Of another project it is known
// by the way to it, or by a host key that both have pinned.
func (t *tx) onOneMachine(a, b *tasks.Record) bool {
	if a.ProjectID == b.ProjectID {
		return t.WorkedOn(a.Host, b) && t.WorkedOn(b.Host, a)
	}
	if a.Host.SameMachine(b.Host) {
		return true
	}
	theirs := kv.Join(b.ProjectID, b.Host.HostPort())
	ours := kv.Join(a.ProjectID, a.Host.HostPort())
	for key := range t.All(inventory.TPins, ours) {
		if t.Get(inventory.TPins, append(bytes.Clone(theirs), key[len(ours):]...)) != nil {
			return true
		}
	}
	return false
}

// findSuperseding sets r.Superseded, of what can be rolled back and of a ROLLBACK.
func (t *tx) findSuperseding(r *tasks.Record) (err error) {
	r.Superseded, r.SupersededForGood = "", false
	of := r
	switch {
	case r.Task() == installer.Rollback && r.State != installer.Succeeded:
		if of, err = t.undoneBy(r); err != nil || of == nil {
			return err
		}
	case r.State != installer.Succeeded:
		return nil
	}
	by, err := t.superseding(of)
	if err != nil || by == nil {
		return err
	}
	if by.ProjectID != r.ProjectID {
		r.Superseded = installer.OfAnotherProject
		return nil
	}
	// It is the latest, so what forbids to undo it is its own.
	r.Superseded, r.SupersededForGood = by.ID, installer.Allow(installer.Rollback, &by.Invocation) != nil
	return nil
}

// current refuses new ROLLBACKs of what a later task has replaced.
func (t *tx) current(records []*tasks.Record) error {
	for _, r := range records {
		if r.Task() != installer.Rollback || r.Of == "" {
			continue
		}
		asked := *r
		asked.Seq = math.MaxUint64 // it has none yet, and is the newest
		if err := t.findSuperseding(&asked); err != nil {
			return err
		}
		if by := asked.Superseded; by != "" {
			return fmt.Errorf("%s of %s: %w: %s", r.Type, r.Of, installer.ErrSuperseded, by)
		}
	}
	return nil
}
