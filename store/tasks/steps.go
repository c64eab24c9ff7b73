package tasks

import (
	"encoding/binary"

	"tripod/installer"
	"tripod/store/kv"
)

// AddSteps fills in the journal.
func (t Tx) AddSteps(inv *installer.Invocation) error {
	for i := range inv.Attempts {
		inv.Attempts[i].Steps = []installer.StepRecord{}
	}
	for k, row := range t.All(TSteps, kv.Join(inv.ID)) {
		number := int(binary.BigEndian.Uint32(k[len(k)-8:]))
		if number < 1 || number > len(inv.Attempts) {
			continue
		}
		var rec installer.StepRecord
		if _, err := kv.ReadRow(row, &rec); err != nil {
			return err
		}
		a := &inv.Attempts[number-1]
		a.Steps = append(a.Steps, rec)
	}
	return nil
}

// stepKey orders steps by attempt and then as they came.
func stepKey(id string, attempt int, number uint32) []byte {
	key := binary.BigEndian.AppendUint32(kv.Join(id), uint32(attempt))
	return binary.BigEndian.AppendUint32(key, number)
}

// StepRows encodes steps; AppendSteps stores them.
func StepRows(steps []installer.StepRecord) (rows [][]byte, err error) {
	for _, rec := range steps {
		row, err := kv.NewRow(rec)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// AppendSteps seals the rows at the end of the present attempt's journal.
func (t Tx) AppendSteps(id string, a Active, rows [][]byte) {
	if len(rows) == 0 {
		return
	}
	number := t.lastStep(id)
	for _, row := range rows {
		number++
		t.Put(TSteps, stepKey(id, int(a.Attempt), number), kv.SealRow(row, uint64(number)))
	}
}

// lastStep is the number of the newest step; 0: there is none.
func (t Tx) lastStep(id string) uint32 {
	for k := range t.AllBackwards(TSteps, kv.Join(id)) {
		return binary.BigEndian.Uint32(k[len(k)-4:])
	}
	return 0
}
