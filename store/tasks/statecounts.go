package tasks

import (
	"encoding/binary"
	"fmt"

	"tripod/installer"
)

// States is the order of the counts in StateCounts.
var States = []installer.State{
	installer.Pending, installer.Running, installer.Succeeded, installer.Failed,
	installer.Timeout, installer.Canceled, installer.Rollbacked,
}

// StateCounts counts a batch's invocations by state.
type StateCounts [7]uint32

// Open is how many have not ended.
func (c StateCounts) Open() int { return int(c[0] + c[1]) }

// allSucceeded: nothing is open and nothing ended otherwise.
func (c StateCounts) allSucceeded() bool { return c[0]+c[1]+c[3]+c[4]+c[5] == 0 }

func (c StateCounts) encode() []byte {
	b := make([]byte, 0, 4*len(c))
	for _, n := range c {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// Counts are those of a batch.
func (t Tx) Counts(batch string) (c StateCounts) {
	b := t.Get(TCounts, []byte(batch))
	if len(b) != 4*len(c) {
		return StateCounts{}
	}
	for i := range c {
		c[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	return c
}

// AddCount changes how many of a batch are in a state.
func (t Tx) AddCount(batch string, s installer.State, delta int) {
	c := t.Counts(batch)
	if !s.Terminal() {
		t.AddOpen(delta)
	}
	for i := range States {
		if States[i] == s {
			c[i] = uint32(int(c[i]) + delta)
			t.Put(TCounts, []byte(batch), c.encode())
			return
		}
	}
	t.Fail(fmt.Errorf("%q is no state", s))
}

// Open is how many invocations have not ended, in all batches.
func (t Tx) Open() int {
	b := t.Get(TCounts, openKey)
	if len(b) != 8 {
		return 0
	}
	return int(binary.BigEndian.Uint64(b))
}

// AddOpen changes how many have not ended.
func (t Tx) AddOpen(delta int) {
	t.Put(TCounts, openKey, binary.BigEndian.AppendUint64(nil, uint64(t.Open()+delta)))
}

// fill puts the counts into a head.
func (c StateCounts) fill(h *installer.BatchHead) {
	h.Total, h.Open, h.ByState = 0, c.Open(), map[installer.State]int{}
	for i, n := range c {
		h.Total += int(n)
		if n > 0 {
			h.ByState[States[i]] = int(n)
		}
	}
}
