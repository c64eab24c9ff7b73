package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// Claim implements engine.Queue. It costs a few look-ups however many
// invocations wait.
func (s *Store) Claim(ctx context.Context, now time.Time, f installer.ClaimFilter) (*installer.Invocation, time.Time, error) {
	// An idle worker asks often: look before taking the writers' turn.
	var wake time.Time
	var claimed *tasks.Record
	idle := false
	err := s.View(ctx, func(t *inventory.Tx) error {
		var id string
		id, wake = dueFor(t, f, now)
		idle = id == ""
		return nil
	})
	if err == nil && !idle {
		err = s.Update(ctx, func(t *inventory.Tx) (err error) {
			claimed, wake, err = s.claim(ctx, t, f, now)
			return err
		})
	}
	if err != nil || claimed == nil {
		return nil, wake, err
	}
	s.db.AddWriters(1)
	return &claimed.Invocation, time.Time{}, nil
}

// claim makes the next invocation RUNNING, if there is one. The audit log has that before anybody can open
// its credentials: they are asked for afterwards.
func (s *Store) claim(ctx context.Context, t *inventory.Tx, f installer.ClaimFilter, now time.Time) (*tasks.Record, time.Time, error) {
	claimed, wake := claimDue(t, f, now, s.session)
	if claimed == nil {
		return nil, wake, nil
	}
	return claimed, wake, s.auditWork(ctx, t, now, claimed, installer.AuditEntry{Action: installer.AuditBegin})
}

func claimDue(t *inventory.Tx, f installer.ClaimFilter, now time.Time, session uint64) (*tasks.Record, time.Time) {
	for {
		id, wake := dueFor(t, f, now)
		if id == "" {
			return nil, wake
		}
		r := t.Listed(id)
		if r.State != installer.Pending {
			t.Damaged("the ready index names %q, which is not pending", id)
		}
		t.Dequeue(r) // one that is named may be on a wait list
		if t.Get(tasks.TBusy, r.HostKey()) != nil {
			t.Put(tasks.TWaiting, r.WaitKey(), []byte(r.ID))
			continue
		}
		startAttempt(t, r, now, session)
		return r, wake
	}
}

// dueFor is due, or the one invocation that the filter names if it is due and
// its host is free.
func dueFor(t *inventory.Tx, f installer.ClaimFilter, now time.Time) (id string, wake time.Time) {
	if f.InvocationID == "" {
		return t.Due(f.BatchID, now)
	}
	r := t.Load(f.InvocationID)
	switch {
	case r == nil || r.State != installer.Pending || t.Get(tasks.TBusy, r.HostKey()) != nil,
		f.BatchID != "" && f.BatchID != r.BatchID:
		return "", time.Time{}
	case r.NotBefore.After(now):
		return "", r.NotBefore
	}
	return r.ID, time.Time{}
}

// startAttempt makes r RUNNING in the attempt that was interrupted, or in a new one.
func startAttempt(t *inventory.Tx, r *tasks.Record, now time.Time, session uint64) {
	if r.Attempt() == nil {
		forgetReplaced(t, r)
		r.Attempts = append(r.Attempts, installer.Attempt{Number: len(r.Attempts) + 1, Started: now})
	}
	r.Claim++
	r.Updated, r.NotBefore = now, time.Time{}
	t.SetState(r, installer.Running)
	t.Put(tasks.TBusy, r.HostKey(), []byte(r.ID))
	t.PutRow(tasks.TActive, []byte(r.ID), 0, tasks.Active{
		Claim: r.Claim, Session: session, Attempt: len(r.Attempts), Crashes: r.Crashes,
		SetUp: r.Task() == installer.SetRemoteInstaller,
	})
	t.Save(r)
	t.AddSteps(&r.Invocation)
}

// Orphans implements engine.Queue: what an earlier process left RUNNING.
func (s *Store) Orphans(ctx context.Context) ([]installer.Invocation, error) {
	return kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (orphans []installer.Invocation, err error) {
		for id, a := range kv.Rows[tasks.Active](t.Tx.Tx, tasks.TActive, nil) {
			if a.Session != s.session {
				r := t.Listed(string(id))
				t.AddSteps(&r.Invocation)
				orphans = append(orphans, r.Invocation)
			}
		}
		return orphans, nil
	})
}

// Journal implements engine.Queue. A finished step is progress, so it sets
// the count of crashes back.
func (s *Store) Journal(ctx context.Context, ref installer.Ref, steps ...installer.StepRecord) error {
	return s.Update(ctx, func(t *inventory.Tx) error {
		a, err := t.Held(ref)
		if err != nil {
			return err
		}
		t.AppendSteps(ref.ID, a, steps)
		right := inventory.BecameRoot(steps)
		if a.Crashes == 0 && !right {
			return nil
		}
		r := t.Listed(ref.ID)
		t.NoteLogin(r, right, false)
		if a.Crashes > 0 {
			a.Crashes, r.Crashes = 0, 0
			t.Save(r)
			t.PutRow(tasks.TActive, []byte(ref.ID), 0, a)
		}
		return nil
	})
}

var ends = []installer.State{installer.Pending, installer.Succeeded, installer.Failed, installer.Timeout, installer.Canceled}

// Finish implements engine.Queue.
func (s *Store) Finish(ctx context.Context, ref installer.Ref, tr installer.Transition) error {
	return s.finish(ctx, ref, tr, func(*inventory.Tx) error { return nil })
}

// FinishAndClaim implements engine.Queue.
func (s *Store) FinishAndClaim(
	ctx context.Context, ref installer.Ref, tr installer.Transition, now time.Time, f installer.ClaimFilter,
) (*installer.Invocation, time.Time, error) {
	var claimed *tasks.Record
	var wake time.Time
	err := s.finish(ctx, ref, tr, func(t *inventory.Tx) (err error) {
		claimed, wake, err = s.claim(ctx, t, f, now)
		return err
	})
	if err != nil || claimed == nil {
		return nil, wake, err
	}
	s.db.AddWriters(1)
	return &claimed.Invocation, time.Time{}, nil
}

// finish ends an attempt, and does what else is to be done in the same transaction.
func (s *Store) finish(ctx context.Context, ref installer.Ref, tr installer.Transition, also func(*inventory.Tx) error) error {
	if !slices.Contains(ends, tr.State) {
		return fmt.Errorf("invocation %s: RUNNING cannot become %s", ref.ID, tr.State)
	}
	login, err := s.SealJumpHost(ctx, ref, tr)
	if err != nil {
		return err
	}
	var over, claimedHere bool
	var batch string
	err = s.Update(ctx, func(t *inventory.Tx) error {
		a, err := t.Held(ref)
		if err != nil {
			return err
		}
		claimedHere = a.Session == s.session
		t.AppendSteps(ref.ID, a, tr.Steps)
		r := endAttempt(t, ref, tr, login)
		batch, over = r.BatchID, t.EndBatch(r.BatchID, tr.At)
		if tr.State.Terminal() {
			err = s.auditWork(ctx, t, tr.At, r, installer.AuditEntry{Action: installer.AuditEnd, Outcome: tr.State, Kind: tr.Kind})
		}
		if err != nil {
			return err
		}
		return also(t)
	})
	if err != nil {
		if login != nil {
			s.Abandon(err, login)
		}
		return err
	}
	if claimedHere {
		s.db.AddWriters(-1)
	}
	s.forgetIfOver(ctx, over, batch)
	return nil
}

// endAttempt stores the end of an attempt and what it means for others. login is a jump host's.
func endAttempt(t *inventory.Tx, ref installer.Ref, tr installer.Transition, login []byte) *tasks.Record {
	r := t.Listed(ref.ID)
	if r.State != installer.Running {
		t.Damaged("invocation %q is active but not running", ref.ID)
	}
	apply(r, tr)
	t.SetState(r, tr.State)
	t.Del(tasks.TActive, []byte(r.ID))
	t.Del(tasks.TBusy, r.HostKey())
	t.Release(r.ProjectID, r.Host.ID)
	if tr.State == installer.Pending {
		t.Enqueue(r)
	}
	noteChange(t, r)
	t.Save(r)
	right, wrong := inventory.SaidOfLogin(tr)
	t.NoteLogin(r, right, wrong)
	t.NoteAgent(r, tr)
	if tr.State != installer.Succeeded {
		return r
	}
	switch r.Task() {
	case installer.SetRemoteInstaller:
		t.AddJumpHost(r, login)
	case installer.Rollback:
		if undone := undoneBy(t, r); undone != nil && undone.State == installer.Succeeded {
			undone.Updated, undone.UndoneBy = tr.At, r.ID
			t.SetState(undone, installer.Rollbacked)
			t.Save(undone)
		}
	}
	return r
}

func apply(r *tasks.Record, tr installer.Transition) {
	ended := tr.EndAttempt || tr.State.Terminal()
	if a := r.Attempt(); a != nil && ended {
		a.Ended, a.Kind, a.Message = tr.At, tr.Kind, tr.Message
	}
	if tr.Crashed {
		r.Crashes++
		r.AllCrashes++
	}
	r.Updated, r.NotBefore = tr.At, time.Time{}
	if tr.State == installer.Pending {
		r.NotBefore = tr.NotBefore
	}
	if ended {
		r.Kind, r.Message, r.MayRun = tr.Kind, tr.Message, tr.MayRun
	}
	if tr.State == installer.Succeeded || tr.Outcome != (installer.Outcome{}) {
		r.Outcome = tr.Outcome
	}
}

// Cancel implements installer.Ledger. A PENDING invocation of which something may still run on its host
// is not ended but made ready with CancelAsked, so that a worker ends what is there first.
func (s *Store) Cancel(ctx context.Context, project, id string) (open bool, err error) {
	now := s.o.Clock()
	over, batch := false, ""
	err = s.Update(ctx, func(t *inventory.Tx) error {
		open, over = false, false
		r, err := t.LoadIn(project, id)
		if err != nil || r.State.Terminal() {
			return err
		}
		open, batch = true, r.BatchID
		if err := s.auditWork(ctx, t, now, r, installer.AuditEntry{Action: installer.AuditCancel}); err != nil {
			return err
		}
		pending := r.State == installer.Pending
		if pending {
			t.Dequeue(r)
			r.NotBefore = time.Time{}
		}
		r.Updated = now
		if !pending || r.Attempt() != nil || r.MayRun || r.Kind == installer.KindLostContact {
			r.CancelAsked = true
			if pending {
				t.Enqueue(r)
			}
			t.Save(r)
			return nil
		}
		r.Kind, r.Message = installer.KindCanceled, "canceled before it started"
		if len(r.Attempts) > 0 {
			r.Message = "canceled while it waited for its next attempt"
		}
		t.SetState(r, installer.Canceled)
		t.Save(r)
		t.Release(project, r.Host.ID)
		over = t.EndBatch(r.BatchID, now)
		return s.auditWork(ctx, t, now, r, installer.AuditEntry{Action: installer.AuditEnd, Outcome: r.State, Kind: r.Kind})
	})
	if err != nil {
		return false, err
	}
	s.forgetIfOver(ctx, over, batch)
	return open, nil
}

func (s *Store) auditWork(ctx context.Context, t *inventory.Tx, at time.Time,
	r *tasks.Record, e installer.AuditEntry) error {
	e.Project, e.Batch, e.Invocation, e.Type = r.ProjectID, r.BatchID, r.ID, r.Type
	e.Hosts = []installer.AuditHost{installer.AuditHostOf(r.Host)}
	if e.Action == installer.AuditBegin || e.Action == installer.AuditEnd {
		e.By = t.Head(r.BatchID).By
	}
	return s.Append(ctx, t.Tx.Tx, at, e)
}
