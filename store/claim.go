package store

import (
	"context"
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
	err := s.view(ctx, func(t *tx) error {
		var id string
		id, wake = t.dueFor(f, now)
		idle = id == ""
		return nil
	})
	if err == nil && !idle {
		err = s.update(ctx, func(t *tx) error {
			if claimed, wake = t.claim(f, now, s.session); claimed == nil {
				return nil
			}
			// Before anybody can open its credentials: they are asked for afterwards.
			return s.auditWork(ctx, t, now, claimed, installer.AuditEntry{Action: installer.AuditBegin})
		})
	}
	if err != nil || claimed == nil {
		return nil, wake, err
	}
	s.db.AddWriters(1)
	return &claimed.Invocation, time.Time{}, nil
}

func (t *tx) claim(f installer.ClaimFilter, now time.Time, session uint64) (*tasks.Record, time.Time) {
	for {
		id, wake := t.dueFor(f, now)
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
		t.start(r, now, session)
		return r, wake
	}
}

// dueFor is due, or the one invocation that the filter names if it is due and
// its host is free.
func (t *tx) dueFor(f installer.ClaimFilter, now time.Time) (id string, wake time.Time) {
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

// start makes r RUNNING in the attempt that was interrupted, or in a new one.
func (t *tx) start(r *tasks.Record, now time.Time, session uint64) {
	if r.Attempt() == nil {
		t.forgetReplaced(r)
		r.Attempts = append(r.Attempts, installer.Attempt{Number: len(r.Attempts) + 1, Started: now})
	}
	r.Claim++
	r.Updated, r.NotBefore = now, time.Time{}
	t.SetState(r, installer.Running)
	t.Put(tasks.TBusy, r.HostKey(), []byte(r.ID))
	t.PutActive(r.ID, tasks.Active{
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
