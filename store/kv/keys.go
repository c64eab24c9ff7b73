package kv

import (
	"encoding/binary"
	"time"
)

// Join makes a key of parts that hold no NUL; every part is followed by one,
// so that a key of fewer parts is a prefix of its longer ones only.
func Join(parts ...string) []byte {
	n := len(parts) + 17
	for _, p := range parts {
		n += len(p)
	}
	key := make([]byte, 0, n)
	for _, p := range parts {
		key = append(append(key, p...), 0)
	}
	return key
}

// Number makes a key of a number, in whose order it sorts.
func Number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Stamped appends time and sequence number to a key.
func Stamped(key []byte, t time.Time, seq uint64) []byte {
	key = binary.BigEndian.AppendUint64(key, Micros(t))
	return binary.BigEndian.AppendUint64(key, seq)
}

// Micros is t in microseconds, rounded up so that nothing is early; 0 for the
// zero time and everything before 1970.
func Micros(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	us := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		us++
	}
	return uint64(max(us, 0))
}

// FromMicros is the time that Micros was made of.
func FromMicros(us uint64) time.Time { return time.UnixMicro(int64(us)) }

// StampOf is the part of a key that Stamped appended.
func StampOf(key []byte) []byte { return key[len(key)-16:] }
