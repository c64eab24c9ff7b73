package store

import (
	"context"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/tasks"
)

// Journal implements engine.Queue. A finished step is progress, so it sets
// the count of crashes back.
func (s *Store) Journal(ctx context.Context, ref installer.Ref, steps ...installer.StepRecord) error {
	rows, err := tasks.StepRows(steps)
	if err != nil {
		return err
	}
	return s.update(ctx, func(t *tx) error {
		a, err := t.Held(ref)
		if err != nil {
			return err
		}
		t.AppendSteps(ref.ID, a, rows)
		right := inventory.BecameRoot(steps)
		if a.Crashes == 0 && !right {
			return nil
		}
		r, err := t.Load(ref.ID)
		if err != nil {
			return err
		}
		if err := t.NoteLogin(r, right, false); err != nil || a.Crashes == 0 {
			return err
		}
		a.Crashes, r.Crashes = 0, 0
		t.Save(r)
		t.Put(tasks.TActive, []byte(ref.ID), a.Encode())
		return nil
	})
}
