package limits

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestD14StrangersMakeRoom: a peer's own next request, and those of others, find room; the one
// that makes room loses its connection.
func TestD14StrangersMakeRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newArrivals(t, 64)
		s := NewStrangers(160)
		enter := func(from string, n int64) (*Stranger, *remote) {
			c, r := a.accept(from)
			g := s.Enter(ConnContext(context.Background(), c), from)
			require.True(t, g.Take(n))
			require.LessOrEqual(t, s.all, s.most)
			return g, r
		}
		first, own := enter("192.0.2.1:1", 10)
		for port := 2; port < 5; port++ {
			enter(fmt.Sprintf("192.0.2.1:%d", port), 10)
		}
		require.Zero(t, own.closed)
		enter("192.0.2.1:5", 1)
		require.Equal(t, 1, own.closed, "its oldest, for one more than a quarter")
		require.False(t, first.Take(1), "it is no guest any more")

		small, honest := enter("192.0.2.9:1", 5)
		for i := range 40 {
			enter(fmt.Sprintf("[2001:db8:0:%d::1]:1", i%8), 9)
		}
		require.Zero(t, honest.closed, "the peer that has most makes room")
		require.True(t, small.Take(5))
		small.Leave()
		small.Leave()

		alone, r := enter("192.0.2.8:1", 1)
		require.False(t, alone.Take(40), "more than one peer may have")
		require.Equal(t, 1, r.closed)
		for len(s.guests) > 0 {
			s.remove(s.guests[0])
		}
		require.Zero(t, s.Held())
		require.Empty(t, s.has)
	})
}
