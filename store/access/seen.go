package access

import (
	"cmp"
	"fmt"
	"strings"
	"time"

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

// signerOf reads it.
func signerOf(text []byte) signer {
	project, accessKey, _ := strings.Cut(string(text), "/")
	return signer{project, accessKey}
}

type seenSignature struct {
	first   time.Time // zero: by an earlier process
	expires time.Time
	by      *seenShare
}

// seenShare is how much of the memory somebody has.
type seenShare struct {
	n  int
	of *seenShare // of an access key: its project's
}

func (c *seenShare) add(n int) {
	c.n += n
	c.of.n += n
}

// seen are signatures that could still be accepted by their date. Nobody can
// fill it for the others: a project has at most as many as are free, a key half
// as many as that, so that with every one that comes there is something left.
type seen struct {
	most     int // 0: maxSeen
	all      map[[32]byte]seenSignature
	projects map[string]*seenShare
	keys     map[signer]*seenShare
	tidied   time.Time
}

// find reports when a signature came that still counts.
func (g *seen) find(signature [32]byte, now time.Time) (first time.Time, found bool) {
	old, ok := g.all[signature]
	return old.first, ok && !old.expires.Before(now)
}

// add remembers one that is not there. ErrFull: by has its share.
func (g *seen) add(signature [32]byte, by signer, first, expires, now time.Time) error {
	g.tidy(now, time.Minute)
	if err := g.room(by); err != nil {
		if g.tidy(now, time.Second); g.room(by) != nil {
			return err
		}
	}
	g.put(signature, by, first, expires)
	return nil
}

// put is add for what is on disk already.
func (g *seen) put(signature [32]byte, by signer, first, expires time.Time) {
	if g.all == nil {
		g.all, g.projects, g.keys = map[[32]byte]seenSignature{}, map[string]*seenShare{}, map[signer]*seenShare{}
	}
	g.remove(signature)
	project := g.projects[by.project]
	if project == nil {
		project = &seenShare{}
		g.projects[by.project] = project
	}
	key := g.keys[by]
	if key == nil {
		key = &seenShare{of: project}
		g.keys[by] = key
	}
	key.add(1)
	g.all[signature] = seenSignature{first, expires, key}
}

func (g *seen) remove(signature [32]byte) {
	if old, ok := g.all[signature]; ok {
		old.by.add(-1)
		delete(g.all, signature)
	}
}

// room: what is free is what the shares are measured by.
func (g *seen) room(by signer) error {
	free := cmp.Or(g.most, maxSeen) - len(g.all)
	var project, key int
	if c := g.projects[by.project]; c != nil {
		project = c.n
	}
	if c := g.keys[by]; c != nil {
		key = c.n
	}
	if project >= free || 2*key >= free {
		return fmt.Errorf("signed requests of the last minutes, with access key %s: %w", by.accessKey, installer.ErrFull)
	}
	return nil
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
	for by, share := range g.keys {
		if share.n == 0 {
			delete(g.keys, by)
		}
	}
	for project, share := range g.projects {
		if share.n == 0 {
			delete(g.projects, project)
		}
	}
}
