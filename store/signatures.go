package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"tripod/installer"
)

const (
	// maxSeen bounds the signatures that are remembered, in memory some 100
	// bytes each.
	maxSeen = 1 << 20
	// seenDelay is how long one that may be noted later waits for company.
	seenDelay = time.Second
	// seenTidy is how many forgotten ones a write takes out of the database.
	seenTidy = 200
)

// signatures are the request signatures that were seen and could still be
// accepted by their date.
type signatures struct {
	flushing sync.Mutex // one flush at a time

	mu      sync.Mutex
	seen    map[[32]byte]seenSignature
	pending []seenKey // not on disk yet
	timer   *time.Timer
	tidied  time.Time
	closed  bool
}

type seenSignature struct {
	first   time.Time // zero: by an earlier process
	expires time.Time
}

// seenKey is a row's key: when it expires, and the signature.
type seenKey [8 + 32]byte

func newSeenKey(signature [32]byte, expires time.Time) (k seenKey) {
	binary.BigEndian.PutUint64(k[:], micros(expires))
	copy(k[8:], signature[:])
	return k
}

// SeeSignature notes that a request came with the signature, and reports
// whether one had come before: by how much, or a long time if that was an
// earlier process. It is remembered until it expires, across restarts: when the
// method returns nil it is on disk, or with later within a second or so, which
// costs one commit for all of that time.
//
// ErrFull if there are too many to be remembered.
func (s *Store) SeeSignature(ctx context.Context, signature [32]byte, expires time.Time, later bool) (seen bool, ago time.Duration, err error) {
	if s.o.ReadOnly {
		return false, 0, errReadOnly
	}
	now := s.o.Clock()
	key := newSeenKey(signature, expires)
	seen, ago, err = s.signatures.see(signature, seenSignature{now, expires})
	if seen || err != nil {
		return seen, ago, err
	}
	if later {
		s.signatures.later(key, s.flushSignatures)
		return false, 0, nil
	}
	if err := s.writeSignatures(ctx, now, key); err != nil {
		s.signatures.forget(signature)
		return false, 0, err
	}
	return false, 0, nil
}

func (g *signatures) see(signature [32]byte, now seenSignature) (seen bool, ago time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if old, ok := g.seen[signature]; ok && !old.expires.Before(now.first) {
		return true, now.first.Sub(old.first), nil
	}
	if now.first.Sub(g.tidied) > time.Minute {
		g.tidied = now.first
		for k, v := range g.seen {
			if v.expires.Before(now.first) {
				delete(g.seen, k)
			}
		}
	}
	if len(g.seen) >= maxSeen {
		return false, 0, fmt.Errorf("signed requests of the last minutes: %w", installer.ErrFull)
	}
	if g.seen == nil {
		g.seen = map[[32]byte]seenSignature{}
	}
	g.seen[signature] = now
	return false, 0, nil
}

func (g *signatures) forget(signature [32]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.seen, signature)
}

// later keeps key for the next flush, and sees to it that there is one.
func (g *signatures) later(key seenKey, flush func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending = append(g.pending, key)
	if g.timer == nil && !g.closed {
		g.timer = time.AfterFunc(seenDelay, flush)
	}
}

// take returns what is to be written.
func (g *signatures) take() []seenKey {
	g.mu.Lock()
	defer g.mu.Unlock()
	keys := g.pending
	g.pending, g.timer = nil, nil
	return keys
}

// close ends the timer; what is pending can be flushed once more.
func (g *signatures) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.timer != nil {
		g.timer.Stop()
	}
}

// flushSignatures writes what waits. What cannot be written waits on.
func (s *Store) flushSignatures() {
	s.signatures.flushing.Lock()
	defer s.signatures.flushing.Unlock()
	keys := s.signatures.take()
	if len(keys) == 0 {
		return
	}
	if err := s.writeSignatures(context.Background(), s.o.Clock(), keys...); err != nil {
		s.o.Logger.Error("signatures of read requests not stored yet", "error", err)
		for _, k := range keys {
			s.signatures.later(k, s.flushSignatures)
		}
	}
}

func (s *Store) writeSignatures(ctx context.Context, now time.Time, keys ...seenKey) error {
	return s.update(ctx, func(t *tx) error {
		for _, k := range keys {
			t.put(bSeen, bytes.Clone(k[:]), nil)
		}
		var over [][]byte
		for k := range t.from(bSeen, nil) {
			if len(over) == seenTidy || binary.BigEndian.Uint64(k) >= micros(now) {
				break
			}
			over = append(over, bytes.Clone(k))
		}
		for _, k := range over {
			t.del(bSeen, k)
		}
		return nil
	})
}

// loadSignatures reads what earlier processes have seen.
func (s *Store) loadSignatures(t *tx) error {
	now := s.o.Clock()
	seen := map[[32]byte]seenSignature{}
	for k := range t.from(bSeen, auditRow(micros(now))) {
		if len(k) != len(seenKey{}) {
			return fmt.Errorf("%w: a signature has %d bytes", ErrDamaged, len(k))
		}
		seen[[32]byte(k[8:])] = seenSignature{expires: fromMicros(binary.BigEndian.Uint64(k))}
	}
	s.signatures.seen = seen
	return nil
}
