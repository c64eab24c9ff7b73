package store

import (
	"context"
	"encoding/binary"

	"tripod/installer"
	"tripod/store/kv"
)

// Journal implements installer.Queue. A finished step is progress, so it sets
// the count of crashes back.
func (s *Store) Journal(ctx context.Context, ref installer.Ref, steps ...installer.StepRecord) error {
	rows, err := stepRows(steps)
	if err != nil {
		return err
	}
	return s.update(ctx, func(t *tx) error {
		a, err := t.held(ref)
		if err != nil {
			return err
		}
		t.appendSteps(ref.ID, a, rows)
		right := becameRoot(steps)
		if a.crashes == 0 && !right {
			return nil
		}
		r, err := t.load(ref.ID)
		if err != nil {
			return err
		}
		if err := t.noteLogin(r, right, false); err != nil || a.crashes == 0 {
			return err
		}
		a.crashes, r.Crashes = 0, 0
		t.save(r)
		t.Put(bActive, []byte(ref.ID), a.encode())
		return nil
	})
}

func stepRows(steps []installer.StepRecord) (rows [][]byte, err error) {
	for _, rec := range steps {
		row, err := kv.NewRow(rec)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// appendSteps seals the rows at the end of the present attempt's journal.
func (t *tx) appendSteps(id string, a active, rows [][]byte) {
	if len(rows) == 0 {
		return
	}
	number := t.lastStep(id)
	for _, row := range rows {
		number++
		t.Put(bSteps, stepKey(id, int(a.attempt), number), kv.SealRow(row, uint64(number)))
	}
}

// lastStep is the number of the newest step; 0: there is none.
func (t *tx) lastStep(id string) uint32 {
	for k := range t.AllBackwards(bSteps, kv.Join(id)) {
		return binary.BigEndian.Uint32(k[len(k)-4:])
	}
	return 0
}
