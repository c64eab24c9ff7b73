package store

import (
	"context"
	"encoding/binary"

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
		number := t.lastStep(ref.ID) + 1
		t.put(bSteps, stepKey(ref.ID, int(a.attempt), number), sealRow(row, uint64(number)))
		if a.crashes == 0 {
			return nil
		}
		r, err := t.load(ref.ID)
		if err != nil {
			return err
		}
		a.crashes, r.Crashes = 0, 0
		t.save(r)
		t.put(bActive, []byte(ref.ID), a.encode())
		return nil
	})
}

// lastStep is the number of the newest step; 0: there is none.
func (t *tx) lastStep(id string) uint32 {
	for k := range t.allBackwards(bSteps, join(id)) {
		return binary.BigEndian.Uint32(k[len(k)-4:])
	}
	return 0
}
