package store

import (
	"context"
	"fmt"
	"time"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// Claim implements installer.Queue. It costs a few look-ups however many
// invocations wait.
func (s *Store) Claim(ctx context.Context, now time.Time, f installer.ClaimFilter) (*installer.Invocation, time.Time, error) {
	// An idle worker asks often: look before taking the writers' turn.
	var wake time.Time
	var claimed *tasks.Record
	idle := false
	err := s.view(ctx, func(t *tx) (err error) {
		var id string
		id, wake, err = t.dueFor(f, now)
		idle = id == ""
		return err
	})
	if err == nil && !idle {
		err = s.update(ctx, func(t *tx) (err error) {
			claimed, wake, err = t.claim(f, now, s.session)
			if err != nil || claimed == nil {
				return err
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

func (t *tx) claim(f installer.ClaimFilter, now time.Time, session uint64) (*tasks.Record, time.Time, error) {
	for {
		id, wake, err := t.dueFor(f, now)
		if err != nil || id == "" {
			return nil, wake, err
		}
		r, err := t.Listed(id)
		if err == nil && r.State != installer.Pending {
			err = fmt.Errorf("%w: the ready index names %q, which is not pending", disk.ErrDamaged, id)
		}
		if err != nil {
			return nil, wake, err
		}
		t.Dequeue(r) // one that is named may be on a wait list
		if t.Get(tasks.TBusy, r.HostKey()) != nil {
			t.Put(tasks.TWaiting, r.WaitKey(), []byte(r.ID))
			continue
		}
		return r, wake, t.start(r, now, session)
	}
}

// dueFor is due, or the one invocation that the filter names if it is due and
// its host is free.
func (t *tx) dueFor(f installer.ClaimFilter, now time.Time) (id string, wake time.Time, err error) {
	if f.InvocationID == "" {
		id, wake = t.Due(f.BatchID, now)
		return id, wake, nil
	}
	r, err := t.Load(f.InvocationID)
	switch {
	case err != nil || r == nil || r.State != installer.Pending || t.Get(tasks.TBusy, r.HostKey()) != nil,
		f.BatchID != "" && f.BatchID != r.BatchID:
		return "", time.Time{}, err
	case r.NotBefore.After(now):
		return "", r.NotBefore, nil
	}
	return r.ID, time.Time{}, nil
}

// start makes r RUNNING in the attempt that was interrupted, or in a new one.
func (t *tx) start(r *tasks.Record, now time.Time, session uint64) error {
	if r.Attempt() == nil {
		if err := t.forgetReplaced(r); err != nil {
			return err
		}
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
	return t.AddSteps(&r.Invocation)
}

// Orphans implements installer.Queue: what an earlier process left RUNNING.
func (s *Store) Orphans(ctx context.Context) ([]installer.Invocation, error) {
	return kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (orphans []installer.Invocation, err error) {
		err = kv.EachRow(t.Tx.Tx, tasks.TActive, nil, func(id []byte, a *tasks.Active) error {
			if a.Session == s.session {
				return nil
			}
			r, err := t.Listed(string(id))
			if err == nil {
				err = t.AddSteps(&r.Invocation)
			}
			if err != nil {
				return err
			}
			orphans = append(orphans, r.Invocation)
			return nil
		})
		return orphans, err
	})
}
