package store

import (
	"encoding/binary"
	"fmt"

	"tripod/installer"
)

// states is the order of the counts in stateCounts.
var states = []installer.State{
	installer.Pending, installer.Running, installer.Succeeded, installer.Failed,
	installer.Timeout, installer.Canceled, installer.Rollbacked,
}

// stateCounts counts a batch's invocations by state.
type stateCounts [7]uint32

func (c stateCounts) open() int { return int(c[0] + c[1]) }

// allSucceeded: nothing is open and nothing ended otherwise.
func (c stateCounts) allSucceeded() bool { return c[0]+c[1]+c[3]+c[4]+c[5] == 0 }

func (c stateCounts) encode() []byte {
	b := make([]byte, 0, 4*len(c))
	for _, n := range c {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func (t *tx) counts(batch string) (c stateCounts) {
	b := t.Get(bCounts, []byte(batch))
	if len(b) != 4*len(c) {
		return stateCounts{}
	}
	for i := range c {
		c[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	return c
}

func (t *tx) addCount(batch string, s installer.State, delta int) {
	c := t.counts(batch)
	if !s.Terminal() {
		t.addOpen(delta)
	}
	for i := range states {
		if states[i] == s {
			c[i] = uint32(int(c[i]) + delta)
			t.Put(bCounts, []byte(batch), c.encode())
			return
		}
	}
	t.Fail(fmt.Errorf("%q is no state", s))
}

// open is how many invocations have not ended, in all batches.
func (t *tx) open() int {
	b := t.Get(bMeta, keyOpen)
	if len(b) != 8 {
		return 0
	}
	return int(binary.BigEndian.Uint64(b))
}

func (t *tx) addOpen(delta int) {
	t.Put(bMeta, keyOpen, binary.BigEndian.AppendUint64(nil, uint64(t.open()+delta)))
}

// full reports that n more invocations would be too many.
func (s *Store) full(t *tx, n int) error {
	if open := t.open(); s.o.MaxOpen > 0 && open+n > s.o.MaxOpen {
		return fmt.Errorf("%w: %d tasks have not ended, at most %d may be", installer.ErrFull, open, s.o.MaxOpen)
	}
	return nil
}

// fill puts the counts into a head.
func (c stateCounts) fill(h *installer.BatchHead) {
	h.Total, h.Open, h.ByState = 0, c.open(), map[installer.State]int{}
	for i, n := range c {
		h.Total += int(n)
		if n > 0 {
			h.ByState[states[i]] = int(n)
		}
	}
}
