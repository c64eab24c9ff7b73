package store

import (
	"context"
	"fmt"
	"time"

	"tripod/installer"
)

// legal is the state machine as far as Finish may move along it.
func legal(to installer.State) bool {
	switch to {
	case installer.Pending, installer.Succeeded, installer.Failed, installer.Timeout, installer.Canceled:
		return true
	}
	return false
}

// Finish implements installer.Queue. The invocation's log is on disk before
// the result is.
func (s *Store) Finish(ctx context.Context, ref installer.Ref, tr installer.Transition) error {
	if !legal(tr.State) {
		return fmt.Errorf("invocation %s: RUNNING cannot become %s", ref.ID, tr.State)
	}
	if err := s.logs.sync(ref.ID); err != nil {
		return err
	}
	rows, err := stepRows(tr.Steps)
	if err != nil {
		return err
	}
	kept, err := s.keepInstaller(ctx, ref, tr)
	if err != nil {
		return err
	}
	var over unneeded
	var mine bool // claimed by this process
	err = s.update(ctx, func(t *tx) error {
		a, err := t.held(ref)
		if err != nil {
			return err
		}
		mine = a.session == s.session
		t.appendSteps(ref.ID, a, rows)
		if over, err = t.finish(ref, tr, kept); err != nil || !tr.State.Terminal() {
			return err
		}
		r, err := t.load(ref.ID)
		if err != nil {
			return err
		}
		return s.auditWork(ctx, t, tr.At, r, installer.AuditEntry{Action: installer.AuditEnd, Outcome: tr.State, Kind: tr.Kind})
	})
	s.settleInstaller(kept, over.installer, err)
	if err != nil {
		return err
	}
	if mine {
		s.commits.workers.Add(-1)
	}
	s.eraseIfOver(ctx, over.batch)
	return nil
}

// unneeded are the epochs that nothing needs after an end.
type unneeded struct {
	batch     *epoch // of the batch, if this ended it
	installer string // of the installer's login that was replaced; empty: none
}

func (t *tx) finish(ref installer.Ref, tr installer.Transition, kept *keptInstaller) (over unneeded, err error) {
	r, err := t.load(ref.ID)
	if err != nil {
		return over, err
	}
	if r == nil || r.State != installer.Running {
		return over, fmt.Errorf("%w: invocation %q is active but not running", ErrDamaged, ref.ID)
	}
	r.apply(tr)
	t.setState(r, tr.State)
	t.del(bActive, []byte(r.ID))
	t.del(bBusy, r.hostKey())
	if err := t.release(r.ProjectID, r.Host.ID); err != nil {
		return over, err
	}
	if tr.State == installer.Pending {
		t.enqueue(r)
	}
	t.noteHeight(r)
	t.save(r)
	right, wrong := saidOfLogin(tr)
	if err := t.noteLogin(r, right, wrong); err != nil {
		return over, err
	}
	if err := t.noteAgent(r, tr); err != nil {
		return over, err
	}
	if tr.State == installer.Succeeded {
		if over.installer, err = t.succeeded(r, tr.At, kept); err != nil {
			return over, err
		}
	}
	over.batch, err = t.endBatch(r.BatchID, tr.At)
	return over, err
}

// apply is what the transition means for the invocation itself.
func (r *record) apply(tr installer.Transition) {
	if a := r.Attempt(); a != nil && (tr.EndAttempt || tr.State.Terminal()) {
		a.Ended, a.Kind, a.Message = tr.At, tr.Kind, tr.Message
	}
	if tr.Crashed {
		r.Crashes++
		r.AllCrashes++
	}
	r.Updated = tr.At
	r.NotBefore = time.Time{}
	if tr.State == installer.Pending {
		r.NotBefore = tr.NotBefore
	}
	if tr.EndAttempt || tr.State.Terminal() {
		r.Kind, r.Message, r.MayRun = tr.Kind, tr.Message, tr.MayRun
	}
	if tr.State == installer.Succeeded || tr.Outcome != (installer.Outcome{}) {
		r.Outcome = tr.Outcome
	}
}

// succeeded does what a success means for others, and returns the epoch of an
// installer that it replaced.
func (t *tx) succeeded(r *record, at time.Time, kept *keptInstaller) (replaced string, err error) {
	t.noteChange(r)
	switch r.Task() {
	case installer.SetRemoteInstaller:
		return t.addInstaller(r, kept)
	case installer.Rollback:
		undone, err := t.undoneBy(r)
		if err != nil || undone == nil || undone.State != installer.Succeeded {
			return "", err
		}
		undone.Updated, undone.UndoneBy = at, r.ID
		t.setState(undone, installer.Rollbacked)
		t.save(undone)
	}
	return "", nil
}

// undoneBy finds what a ROLLBACK undoes, over the RETRYs of it; nil: it has gone.
func (t *tx) undoneBy(r *record) (*record, error) {
	for {
		of, err := t.load(r.Of)
		if err != nil || of == nil || of.ProjectID != r.ProjectID || of.seq >= r.seq {
			return nil, err // what it is about was there before it
		}
		if r.Type == installer.Rollback {
			return of, nil
		}
		r = of
	}
}
