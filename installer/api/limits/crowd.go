package limits

import (
	"context"
	"net/netip"
	"slices"
	"sync"
)

// guest holds some of what a crowd shares: a connection, or bytes.
type guest struct {
	peer  netip.Prefix
	n     int64
	leave func() // ends what it holds it for
}

// crowd is guests without a login, oldest first. A newcomer is always taken: where there
// is no room, guests leave for it, the oldest of the peer that has most. So nobody is
// kept out by those who came before.
type crowd struct {
	share  int64 // of one peer
	guests []*guest
	all    int64
	has    map[netip.Prefix]int64
}

func newCrowd(share int64) crowd { return crowd{share: share, has: map[netip.Prefix]int64{}} }

// add is for a new guest, who has nothing yet.
func (c *crowd) add(g *guest) { c.guests = append(c.guests, g) }

// grow gives g n more of at most room. Others have to leave for it; g does not stay if it
// is one of them, or was before.
func (c *crowd) grow(g *guest, n, room int64) (leaving []*guest, stays bool) {
	if !slices.Contains(c.guests, g) {
		return nil, false
	}
	c.count(g, n)
	for c.has[g.peer] > c.share || c.all > room {
		oldest := c.oldest(g.peer)
		if oldest == nil {
			break
		}
		c.remove(oldest)
		leaving = append(leaving, oldest)
	}
	return leaving, !slices.Contains(leaving, g)
}

// oldest of the peer that has most, or of the one that has more than its share.
func (c *crowd) oldest(peer netip.Prefix) (oldest *guest) {
	own := c.has[peer] > c.share
	for _, g := range c.guests {
		if (!own || g.peer == peer) && g.n > 0 && (oldest == nil || c.has[g.peer] > c.has[oldest.peer]) {
			oldest = g
		}
	}
	return oldest
}

// remove takes all that g has. It reports whether g was a guest still.
func (c *crowd) remove(g *guest) bool {
	i := slices.Index(c.guests, g)
	if i < 0 {
		return false
	}
	c.guests = slices.Delete(c.guests, i, i+1)
	c.count(g, -g.n)
	return true
}

func (c *crowd) count(g *guest, n int64) {
	g.n += n
	c.all += n
	if c.has[g.peer] += n; c.has[g.peer] == 0 {
		delete(c.has, g.peer)
	}
}

// Strangers bounds the bytes that requests hold of which it is not known who asks. A peer
// has a quarter. A request that has to make room for another loses its connection.
type Strangers struct {
	most int64

	mu sync.Mutex
	crowd
}

func NewStrangers(most int64) *Strangers {
	return &Strangers{most: most, crowd: newCrowd(most / 4)}
}

// Stranger is what one request holds. Nil: it holds nothing.
type Stranger struct {
	of *Strangers
	guest
}

// Enter is for a request of this context's connection.
func (s *Strangers) Enter(ctx context.Context, remote string) *Stranger {
	g := &Stranger{s, guest{peer: Peer(remote), leave: func() {}}}
	if c, ok := ctx.Value(connKey{}).(*conn); ok { // not where another server serves it (in tests)
		g.leave = func() { _ = c.Close() }
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(&g.guest)
	return g
}

// Take adds n bytes. False: it had to make room for others.
func (g *Stranger) Take(n int64) bool {
	g.of.mu.Lock()
	leaving, stays := g.of.grow(&g.guest, n, g.of.most)
	g.of.mu.Unlock()
	for _, other := range leaving {
		other.leave()
	}
	return stays
}

func (g *Stranger) Leave() {
	if g == nil {
		return
	}
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	g.of.remove(&g.guest)
}

func (s *Strangers) Held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}
