package store

import (
	"encoding/binary"
	"fmt"

	"tripod/installer"
	"tripod/store/disk"
)

// active is the small row of a RUNNING invocation, so that journaling a step
// does not read and write the whole invocation.
type active struct {
	claim   uint64
	session uint64 // of the process that claimed it
	attempt uint32 // its number
	crashes uint32
	setUp   bool // success makes its host an installer
}

const activeSize = 25

func (a active) encode() []byte {
	b := make([]byte, 0, activeSize)
	b = binary.BigEndian.AppendUint64(b, a.claim)
	b = binary.BigEndian.AppendUint64(b, a.session)
	b = binary.BigEndian.AppendUint32(b, a.attempt)
	b = binary.BigEndian.AppendUint32(b, a.crashes)
	if a.setUp {
		return append(b, 1)
	}
	return append(b, 0)
}

func decodeActive(b []byte) (active, error) {
	if len(b) != activeSize {
		return active{}, fmt.Errorf("%w: an active claim cannot be read", disk.ErrDamaged)
	}
	return active{
		claim:   binary.BigEndian.Uint64(b),
		session: binary.BigEndian.Uint64(b[8:]),
		attempt: binary.BigEndian.Uint32(b[16:]),
		crashes: binary.BigEndian.Uint32(b[20:]),
		setUp:   b[24] == 1,
	}, nil
}

// held returns the claim's row if ref is the latest claim: the compare of
// every compare-and-set.
func (t *tx) held(ref installer.Ref) (active, error) {
	row := t.Get(bActive, []byte(ref.ID))
	if row == nil {
		return active{}, fmt.Errorf("invocation %s: %w", ref.ID, installer.ErrStale)
	}
	a, err := decodeActive(row)
	if err == nil && a.claim != ref.Claim {
		err = fmt.Errorf("invocation %s: claim %d, the latest is %d: %w", ref.ID, ref.Claim, a.claim, installer.ErrStale)
	}
	return a, err
}
