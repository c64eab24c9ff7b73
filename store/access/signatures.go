package access

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unique"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

const (
	// seenDelay is how long one that may be noted later waits for company.
	seenDelay = time.Second
	// seenTidy is how many forgotten ones a write takes out of the database.
	seenTidy = 200
)

type signatures struct {
	flushing sync.Mutex // one flush at a time

	mu      sync.Mutex
	seen    seen
	pending []seenRow // not on disk yet
	timer   *time.Timer
	closed  bool
}

type seenRow struct {
	key seenKey
	by  signer
}

// seenKey is a row's key: when it expires, and the signature.
type seenKey [8 + 32]byte

func (k seenKey) over(now time.Time) bool { return binary.BigEndian.Uint64(k[:]) < kv.Micros(now) }

// SeeSignature notes that a request came with the signature, until it expires, and reports
// whether one had come before: by how much, or a long time if that was an earlier process.
// It is on disk when nil is returned, with later within about a second, in one commit for
// all of that time. ErrFull if there are too many of this access key, or of its project.
func (a *Access) SeeSignature(ctx context.Context, project, accessKey string, signature [32]byte, expires time.Time, later bool) (seen bool, ago time.Duration, err error) {
	if a.DB.ReadOnly() {
		return false, 0, disk.ErrReadOnly
	}
	now := a.Clock()
	row := seenRow{seenKey(append(kv.Number(kv.Micros(expires)), signature[:]...)), signer{project, accessKey}}
	seen, ago, err = a.signatures.see(signature, row.by, now, expires)
	if seen || err != nil {
		return seen, ago, err
	}
	if later {
		a.signatures.later(a.flushSignatures, row)
	} else if err = a.writeSignatures(ctx, now, row); err != nil {
		a.signatures.forget(signature)
	}
	return false, 0, err
}

func (g *signatures) see(signature [32]byte, by signer, now, expires time.Time) (seen bool, ago time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if old, found := g.seen.all[signature]; found && !old.expires.Before(now) {
		return true, now.Sub(old.first), nil
	}
	return false, 0, g.seen.add(signature, by, expires, now)
}

func (g *signatures) forget(signature [32]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen.remove(signature)
}

func (g *signatures) later(flush func(), rows ...seenRow) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending = append(g.pending, rows...)
	if g.timer == nil && !g.closed {
		g.timer = time.AfterFunc(seenDelay, flush)
	}
}

func (g *signatures) take() []seenRow {
	g.mu.Lock()
	defer g.mu.Unlock()
	rows := g.pending
	g.pending, g.timer = nil, nil
	return rows
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

// flushSignatures writes what waits. What cannot be written waits on, as long as
// it counts.
func (a *Access) flushSignatures() {
	a.signatures.flushing.Lock()
	defer a.signatures.flushing.Unlock()
	rows := a.signatures.take()
	if len(rows) == 0 {
		return
	}
	now := a.Clock()
	if err := a.writeSignatures(context.Background(), now, rows...); err != nil {
		a.Logger.Error("signatures of read requests not stored yet", "error", err)
		rows = slices.DeleteFunc(rows, func(r seenRow) bool { return r.key.over(now) })
		a.signatures.later(a.flushSignatures, rows...)
	}
}

func (a *Access) writeSignatures(ctx context.Context, now time.Time, rows ...seenRow) error {
	return a.DB.Update(ctx, func(t *kv.Tx) error {
		for _, row := range rows {
			t.Put(tSeen, bytes.Clone(row.key[:]), []byte(row.by.project+"/"+row.by.accessKey)) // neither part has a '/'
		}
		n := 0
		t.DelAll(tSeen, func(yield func(k, v []byte) bool) {
			for k, v := range t.From(tSeen, nil) {
				if n++; n > seenTidy || binary.BigEndian.Uint64(k) >= kv.Micros(now) || !yield(k, v) {
					return
				}
			}
		})
		return nil
	})
}

func (a *Access) loadSignatures(t *kv.Tx) error {
	now := a.Clock()
	for k, by := range t.From(tSeen, kv.Number(kv.Micros(now))) {
		if len(k) != len(seenKey{}) {
			return fmt.Errorf("%w: a signature has %d bytes", disk.ErrDamaged, len(k))
		}
		project, accessKey, _ := strings.Cut(string(by), "/")
		a.signatures.seen.put([32]byte(k[8:]), signer{project, accessKey}, time.Time{}, kv.FromMicros(binary.BigEndian.Uint64(k)))
	}
	return nil
}

// maxSeen bounds the signatures in memory, at most 200 bytes each. One access key may have
// a third of them: 15 minutes of the 500 a second that are let in of it.
const maxSeen = 3 << 19

type signer struct{ project, accessKey string }

type seenSignature struct {
	first   time.Time // zero: by an earlier process
	expires time.Time
	by      unique.Handle[signer]
}

// seen are signatures that could still be accepted by their date. A project has at most as
// many as are free, a key half as many, so nobody can fill it for the others.
type seen struct {
	most   int // 0: maxSeen
	all    map[[32]byte]seenSignature
	counts map[signer]int // of each key, and with an empty key of its project
	tidied time.Time
}

// add remembers one that is not there. ErrFull: by has its share.
func (g *seen) add(signature [32]byte, by signer, expires, now time.Time) error {
	g.tidy(now, time.Minute)
	if !g.hasRoom(by) {
		if g.tidy(now, time.Second); !g.hasRoom(by) {
			return fmt.Errorf("signed requests of the last minutes, with access key %s: %w", by.accessKey, installer.ErrFull)
		}
	}
	g.put(signature, by, now, expires)
	return nil
}

func (g *seen) put(signature [32]byte, by signer, first, expires time.Time) {
	if g.all == nil {
		g.all, g.counts = map[[32]byte]seenSignature{}, map[signer]int{}
	}
	g.remove(signature)
	g.count(by, +1)
	g.all[signature] = seenSignature{first, expires, unique.Make(by)}
}

func (g *seen) remove(signature [32]byte) {
	if old, ok := g.all[signature]; ok {
		g.count(old.by.Value(), -1)
		delete(g.all, signature)
	}
}

func (g *seen) count(by signer, n int) {
	for _, whose := range []signer{by, {by.project, ""}} {
		if g.counts[whose] += n; g.counts[whose] == 0 {
			delete(g.counts, whose)
		}
	}
}

func (g *seen) hasRoom(by signer) bool {
	free := cmp.Or(g.most, maxSeen) - len(g.all)
	return g.counts[signer{by.project, ""}] < free && 2*g.counts[by] < free
}

func (g *seen) tidy(now time.Time, every time.Duration) {
	if d := now.Sub(g.tidied); 0 <= d && d < every {
		return
	}
	g.tidied = now
	for signature, old := range g.all {
		if old.expires.Before(now) {
			g.remove(signature)
		}
	}
}
