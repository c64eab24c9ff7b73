package store

import (
	"encoding/binary"
	"fmt"

	"tripod/installer"
)

// states is the order of the counts in a tally.
var states = []installer.State{
	installer.Pending, installer.Running, installer.Succeeded, installer.Failed,
	installer.Timeout, installer.Canceled, installer.Rollbacked,
}

// tally counts a batch's invocations by state.
type tally [7]uint32

func (c tally) open() int { return int(c[0] + c[1]) }

// allSucceeded: nothing is open and nothing ended otherwise.
func (c tally) allSucceeded() bool { return c[0]+c[1]+c[3]+c[4]+c[5] == 0 }

func (c tally) encode() []byte {
	b := make([]byte, 0, 4*len(c))
	for _, n := range c {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func (t *tx) tally(batch string) (c tally) {
	b := t.get(bTally, []byte(batch))
	if len(b) != 4*len(c) {
		return tally{}
	}
	for i := range c {
		c[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	return c
}

func (t *tx) addTally(batch string, s installer.State, delta int) {
	c := t.tally(batch)
	if !s.Terminal() {
		t.opened += int64(delta)
	}
	for i := range states {
		if states[i] == s {
			c[i] = uint32(int(c[i]) + delta)
			t.put(bTally, []byte(batch), c.encode())
			return
		}
	}
	t.err = fmt.Errorf("%q is no state", s)
}

// countOpen counts the invocations that have not ended, in all batches.
func (t *tx) countOpen() (n int64) {
	for batch := range t.all(bTally, nil) {
		n += int64(t.tally(string(batch)).open())
	}
	return n
}

// full reports, within a transaction, that n more invocations would be too
// many.
func (s *Store) full(t *tx, n int) error {
	open := s.commits.open.Load() + t.opened
	if s.o.MaxOpen > 0 && open+int64(n) > int64(s.o.MaxOpen) {
		return fmt.Errorf("%w: %d tasks have not ended, at most %d may be", installer.ErrFull, open, s.o.MaxOpen)
	}
	return nil
}

// fill puts the counts into a head.
func (c tally) fill(h *installer.BatchHead) {
	h.Total, h.Open, h.ByState = 0, c.open(), map[installer.State]int{}
	for i, n := range c {
		h.Total += int(n)
		if n > 0 {
			h.ByState[states[i]] = int(n)
		}
	}
}
