package store

import (
	"context"
	"fmt"
	"time"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/inventory"
	"tripod/store/tasks"
)

// legal is the state machine as far as Finish may move along it.
func legal(to installer.State) bool {
	switch to {
	case installer.Pending, installer.Succeeded, installer.Failed, installer.Timeout, installer.Canceled:
		return true
	}
	return false
}

// Finish implements engine.Queue. The invocation's log is on disk before
// the result is.
func (s *Store) Finish(ctx context.Context, ref installer.Ref, tr installer.Transition) error {
	if !legal(tr.State) {
		return fmt.Errorf("invocation %s: RUNNING cannot become %s", ref.ID, tr.State)
	}
	if err := s.SyncLog(ref.ID); err != nil {
		return err
	}
	rows, err := tasks.StepRows(tr.Steps)
	if err != nil {
		return err
	}
	login, err := s.SealInstaller(ctx, ref, tr)
	if err != nil {
		return err
	}
	var over bool
	var batch string
	var mine bool // claimed by this process
	err = s.update(ctx, func(t *tx) error {
		a, err := t.Held(ref)
		if err != nil {
			return err
		}
		mine = a.Session == s.session
		t.AppendSteps(ref.ID, a, rows)
		r, err := t.finish(ref, tr, login)
		if err != nil {
			return err
		}
		if over, err = t.EndBatch(r.BatchID, tr.At); err != nil || !tr.State.Terminal() {
			return err
		}
		batch = r.BatchID
		return s.auditWork(ctx, t, tr.At, r, installer.AuditEntry{Action: installer.AuditEnd, Outcome: tr.State, Kind: tr.Kind})
	})
	if err != nil {
		if login != nil {
			s.Abandon(err, login)
		}
		return err
	}
	if mine {
		s.db.AddWriters(-1)
	}
	s.forgetIfOver(ctx, over, batch)
	return nil
}

func (t *tx) finish(ref installer.Ref, tr installer.Transition, login []byte) (*tasks.Record, error) {
	r, err := t.Load(ref.ID)
	if err != nil {
		return nil, err
	}
	if r == nil || r.State != installer.Running {
		return nil, fmt.Errorf("%w: invocation %q is active but not running", disk.ErrDamaged, ref.ID)
	}
	apply(r, tr)
	t.SetState(r, tr.State)
	t.Del(tasks.TActive, []byte(r.ID))
	t.Del(tasks.TBusy, r.HostKey())
	if err := t.Release(r.ProjectID, r.Host.ID); err != nil {
		return nil, err
	}
	if tr.State == installer.Pending {
		t.Enqueue(r)
	}
	t.noteHeight(r)
	t.Save(r)
	right, wrong := inventory.SaidOfLogin(tr)
	if err := t.NoteLogin(r, right, wrong); err != nil {
		return nil, err
	}
	if err := t.NoteAgent(r, tr); err != nil {
		return nil, err
	}
	if tr.State == installer.Succeeded {
		if err := t.succeeded(r, tr.At, login); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// apply is what the transition means for the invocation itself.
func apply(r *tasks.Record, tr installer.Transition) {
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

// succeeded does what a success means for others. login is an installer's.
func (t *tx) succeeded(r *tasks.Record, at time.Time, login []byte) error {
	t.noteChange(r)
	switch r.Task() {
	case installer.SetRemoteInstaller:
		return t.AddInstaller(r, login)
	case installer.Rollback:
		undone, err := t.undoneBy(r)
		if err != nil || undone == nil || undone.State != installer.Succeeded {
			return err
		}
		undone.Updated, undone.UndoneBy = at, r.ID
		t.SetState(undone, installer.Rollbacked)
		t.Save(undone)
	}
	return nil
}

// undoneBy finds what a ROLLBACK undoes, over the RETRYs of it; nil: it has gone.
func (t *tx) undoneBy(r *tasks.Record) (*tasks.Record, error) {
	for {
		of, err := t.Load(r.Of)
		if err != nil || of == nil || of.ProjectID != r.ProjectID || of.Seq >= r.Seq {
			return nil, err // what it is about was there before it
		}
		if r.Type == installer.Rollback {
			return of, nil
		}
		r = of
	}
}
