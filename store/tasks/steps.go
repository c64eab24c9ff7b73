package tasks

import (
	"encoding/binary"
	"fmt"

	"tripod/installer"
	"tripod/store/kv"
)

// Active is the small row of a RUNNING invocation, so that journaling a step
// does not read and write the whole invocation.
type Active struct {
	Claim   uint64 `json:"claim"`
	Session uint64 `json:"session"` // of the process that claimed it
	Attempt int    `json:"attempt"` // its number
	Crashes int    `json:"crashes,omitempty"`
	SetUp   bool   `json:"set_up,omitempty"` // success makes its host a jump host
}

// PutActive stores the claim of an invocation.
func (t Tx) PutActive(id string, a Active) { t.PutRow(TActive, []byte(id), 0, a) }

// Held returns the claim's row if ref is the latest claim: the compare of
// every compare-and-set.
func (t Tx) Held(ref installer.Ref) (Active, error) {
	a := kv.GetRow[Active](t.Tx, TActive, []byte(ref.ID))
	switch {
	case a == nil:
		return Active{}, fmt.Errorf("invocation %s: %w", ref.ID, installer.ErrStale)
	case a.Claim != ref.Claim:
		return Active{}, fmt.Errorf("invocation %s: claim %d, the latest is %d: %w", ref.ID, ref.Claim, a.Claim, installer.ErrStale)
	}
	return *a, nil
}

// AddSteps fills in the journal.
func (t Tx) AddSteps(inv *installer.Invocation) {
	for i := range inv.Attempts {
		inv.Attempts[i].Steps = []installer.StepRecord{}
	}
	for key, rec := range kv.Rows[installer.StepRecord](t.Tx, TSteps, kv.Join(inv.ID)) {
		if n := int(binary.BigEndian.Uint32(key[len(key)-8:])); 1 <= n && n <= len(inv.Attempts) {
			a := &inv.Attempts[n-1]
			a.Steps = append(a.Steps, *rec)
		}
	}
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
	var number uint32 // of the newest step
	if key, _ := kv.First(t.AllBackwards(TSteps, kv.Join(id))); key != nil {
		number = binary.BigEndian.Uint32(key[len(key)-4:])
	}
	for _, row := range rows {
		number++
		key := binary.BigEndian.AppendUint32(kv.Join(id), uint32(a.Attempt))
		t.Put(TSteps, binary.BigEndian.AppendUint32(key, number), kv.SealRow(row, uint64(number)))
	}
}
