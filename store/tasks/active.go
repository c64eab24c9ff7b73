package tasks

import (
	"encoding/binary"
	"fmt"

	"tripod/installer"
	"tripod/store/disk"
)

// Active is the small row of a RUNNING invocation, so that journaling a step
// does not read and write the whole invocation.
type Active struct {
	Claim   uint64
	Session uint64 // of the process that claimed it
	Attempt uint32 // its number
	Crashes uint32
	SetUp   bool // success makes its host an installer
}

const activeSize = 25

// Encode makes the row.
func (a Active) Encode() []byte {
	b := make([]byte, 0, activeSize)
	b = binary.BigEndian.AppendUint64(b, a.Claim)
	b = binary.BigEndian.AppendUint64(b, a.Session)
	b = binary.BigEndian.AppendUint32(b, a.Attempt)
	b = binary.BigEndian.AppendUint32(b, a.Crashes)
	if a.SetUp {
		return append(b, 1)
	}
	return append(b, 0)
}

// DecodeActive reads it.
func DecodeActive(b []byte) (Active, error) {
	if len(b) != activeSize {
		return Active{}, fmt.Errorf("%w: an active claim cannot be read", disk.ErrDamaged)
	}
	return Active{
		Claim:   binary.BigEndian.Uint64(b),
		Session: binary.BigEndian.Uint64(b[8:]),
		Attempt: binary.BigEndian.Uint32(b[16:]),
		Crashes: binary.BigEndian.Uint32(b[20:]),
		SetUp:   b[24] == 1,
	}, nil
}

// Held returns the claim's row if ref is the latest claim: the compare of
// every compare-and-set.
func (t Tx) Held(ref installer.Ref) (Active, error) {
	row := t.Get(TActive, []byte(ref.ID))
	if row == nil {
		return Active{}, fmt.Errorf("invocation %s: %w", ref.ID, installer.ErrStale)
	}
	a, err := DecodeActive(row)
	if err == nil && a.Claim != ref.Claim {
		err = fmt.Errorf("invocation %s: claim %d, the latest is %d: %w", ref.ID, ref.Claim, a.Claim, installer.ErrStale)
	}
	return a, err
}
