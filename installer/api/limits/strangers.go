package limits

import (
	"context"
	"sync"
)

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

// Leave gives all of it back.
func (g *Stranger) Leave() {
	if g == nil {
		return
	}
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	g.of.remove(&g.guest)
}

// Held is what all requests hold.
func (s *Strangers) Held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}
