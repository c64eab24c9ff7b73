package store

import (
	"context"
	"fmt"
	"time"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/tasks"
)

// Claim implements engine.Queue. It costs a few look-ups however many
// invocations wait.
func (s *Store) Claim(ctx context.Context, now time.Time, f installer.ClaimFilter) (*installer.Invocation, time.Time, error) {
	// An idle worker asks often: look before taking the writers' turn.
	var idle bool
	var wake time.Time
	err := s.view(ctx, func(t *tx) (err error) {
		var id string
		id, wake, err = t.dueFor(f, now)
		idle = id == ""
		return err
	})
	if err != nil || idle {
		return nil, wake, err
	}

	var claimed *tasks.Record
	err = s.update(ctx, func(t *tx) (err error) {
		claimed, wake, err = t.claim(f, now, s.session)
		if err != nil || claimed == nil {
			return err
		}
		// Before anybody can open its credentials: they are asked for afterwards.
		return s.auditWork(ctx, t, now, claimed, installer.AuditEntry{Action: installer.AuditBegin})
	})
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
		r, err := t.Load(id)
		if err != nil {
			return nil, wake, err
		}
		if r == nil || r.State != installer.Pending {
			return nil, wake, fmt.Errorf("%w: the ready index names %q, which is not pending", disk.ErrDamaged, id)
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
	r.Updated = now
	r.NotBefore = time.Time{}
	t.SetState(r, installer.Running)
	if err := t.tell(r); err != nil {
		return err
	}
	t.Put(tasks.TBusy, r.HostKey(), []byte(r.ID))
	t.Put(tasks.TActive, []byte(r.ID), tasks.Active{
		Claim:   r.Claim,
		Session: session,
		Attempt: uint32(len(r.Attempts)),
		Crashes: uint32(r.Crashes),
		SetUp:   r.Task() == installer.SetRemoteInstaller,
	}.Encode())
	t.Save(r)
	return nil
}

// Orphans implements engine.Queue: what an earlier process left RUNNING.
func (s *Store) Orphans(ctx context.Context) ([]installer.Invocation, error) {
	var orphans []installer.Invocation
	err := s.view(ctx, func(t *tx) error {
		orphans = nil
		for id, row := range t.All(tasks.TActive, nil) {
			a, err := tasks.DecodeActive(row)
			if err != nil {
				return err
			}
			if a.Session == s.session {
				continue
			}
			r, err := t.Load(string(id))
			if err != nil {
				return err
			}
			if r == nil {
				return fmt.Errorf("%w: invocation %q is active but missing", disk.ErrDamaged, id)
			}
			if err := t.tell(r); err != nil {
				return err
			}
			orphans = append(orphans, r.Invocation)
		}
		return nil
	})
	return orphans, err
}
