package store

import (
	"context"
	"time"

	"tripod/installer"
)

// Cancel implements installer.Ledger. A PENDING invocation of which something
// may still be running on its host (an attempt was interrupted, or contact was
// lost) is not ended but made ready with CancelAsked, so that a worker ends
// what is there first.
func (s *Store) Cancel(ctx context.Context, project, id string) (bool, error) {
	now := s.o.Clock()
	var open, over bool
	var batch string
	err := s.update(ctx, func(t *tx) error {
		open, over = false, false
		r, err := t.LoadIn(project, id)
		if err != nil || r.State.Terminal() {
			return err
		}
		open, batch = true, r.BatchID
		if err := s.auditWork(ctx, t, now, r, installer.AuditEntry{Action: installer.AuditCancel}); err != nil {
			return err
		}
		switch {
		case r.State == installer.Running:
			r.CancelAsked, r.Updated = true, now
			t.Save(r)
			return nil
		case r.Attempt() != nil || r.MayRun || r.Kind == installer.KindLostContact:
			t.Dequeue(r)
			r.CancelAsked, r.Updated, r.NotBefore = true, now, time.Time{}
			t.Enqueue(r)
			t.Save(r)
			return nil
		}
		t.Dequeue(r)
		r.Updated, r.NotBefore = now, time.Time{}
		r.Kind, r.Message = installer.KindCanceled, "canceled before it started"
		if len(r.Attempts) > 0 {
			r.Message = "canceled while it waited for its next attempt"
		}
		t.SetState(r, installer.Canceled)
		t.Save(r)
		if err := t.Release(project, r.Host.ID); err != nil {
			return err
		}
		if over, err = t.EndBatch(r.BatchID, now); err != nil {
			return err
		}
		return s.auditWork(ctx, t, now, r, installer.AuditEntry{Action: installer.AuditEnd, Outcome: r.State, Kind: r.Kind})
	})
	if err != nil {
		return false, err
	}
	s.forgetIfOver(ctx, over, batch)
	return open, nil
}
