package limits

import (
	"net/netip"
	"slices"
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
