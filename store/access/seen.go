package access

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unique"

	"tripod/installer"
)

// maxSeen bounds the signatures that are remembered, in memory at most 200 bytes
// each. One access key alone may have a third of them: that many it sends in the
// 15 minutes that they count, at the 500 a second that are let in of it.
const maxSeen = 3 << 19

// signer is who has signed: an access key, and the project that it is of.
type signer struct{ project, accessKey string }

// text is how it is stored; neither part has a '/'.
func (g signer) text() []byte { return []byte(g.project + "/" + g.accessKey) }

func signerOf(text []byte) signer {
	project, accessKey, _ := strings.Cut(string(text), "/")
	return signer{project, accessKey}
}

type seenSignature struct {
	first   time.Time // zero: by an earlier process
	expires time.Time
	by      unique.Handle[signer]
}

// seen are signatures that could still be accepted by their date. Nobody can
// fill it for the others: a project has at most as many as are free, a key half
// as many as that, so that with every one that comes there is something left.
type seen struct {
	most   int // 0: maxSeen
	all    map[[32]byte]seenSignature
	counts map[signer]int // of each key, and with an empty key of its project
	tidied time.Time
}

// find reports when a signature came that still counts.
func (g *seen) find(signature [32]byte, now time.Time) (first time.Time, found bool) {
	old, ok := g.all[signature]
	return old.first, ok && !old.expires.Before(now)
}

// add remembers one that is not there. ErrFull: by has its share.
func (g *seen) add(signature [32]byte, by signer, first, expires, now time.Time) error {
	g.tidy(now, time.Minute)
	if !g.hasRoom(by) {
		if g.tidy(now, time.Second); !g.hasRoom(by) {
			return fmt.Errorf("signed requests of the last minutes, with access key %s: %w", by.accessKey, installer.ErrFull)
		}
	}
	g.put(signature, by, first, expires)
	return nil
}

// put is add for what is on disk already.
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

// hasRoom: what is free is what the shares are measured by.
func (g *seen) hasRoom(by signer) bool {
	free := cmp.Or(g.most, maxSeen) - len(g.all)
	return g.counts[signer{by.project, ""}] < free && 2*g.counts[by] < free
}

// tidy forgets what has expired, at most so often.
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
