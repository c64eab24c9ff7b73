package store

import (
	"context"

	"tripod/installer"
)

// Journal implements installer.Queue. A finished step is progress, so it sets
// the count of crashes back.
func (s *Store) Journal(ctx context.Context, ref installer.Ref, rec installer.StepRecord) error {
	row, err := newRow(rec)
	if err != nil {
		return err
	}
	return s.update(ctx, func(t *tx) error {
		a, err := t.held(ref)
		if err != nil {
			return err
		}
		a.steps++
		t.put(bSteps, stepKey(ref.ID, int(a.attempt), a.steps), sealRow(row, uint64(a.steps)))
		if a.crashes > 0 {
			a.crashes = 0
			r, err := t.load(ref.ID)
			if err != nil {
				return err
			}
			r.Crashes = 0
			t.save(r)
		}
		t.put(bActive, []byte(ref.ID), a.encode())
		return nil
	})
}
