package limits

import (
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// incoming is a listener without a network.
type incoming struct {
	net.Listener
	next net.Conn
}

func (l *incoming) Accept() (net.Conn, error) { return l.next, nil }

// remote is a connection from somewhere.
type remote struct {
	net.Conn
	from   string
	closed int
}

func (r *remote) RemoteAddr() net.Addr {
	at, err := net.ResolveTCPAddr("tcp", r.from)
	if err != nil {
		panic(err)
	}
	return at
}

func (r *remote) Close() error {
	r.closed++
	return nil
}

type arrivals struct {
	t *testing.T
	*listener
	from *incoming
}

func newArrivals(t *testing.T, most int) arrivals {
	in := &incoming{}
	return arrivals{t, Listen(in, most, time.Minute).(*listener), in}
}

func (a arrivals) open() int { return len(a.anonymous.guests) + a.allNamed() }

func (a arrivals) accept(from string) (*conn, *remote) {
	a.t.Helper()
	r := &remote{from: from}
	a.from.next = r
	c, err := a.listener.Accept()
	require.NoError(a.t, err)
	require.LessOrEqual(a.t, a.open(), a.most)
	a.t.Cleanup(func() { _ = c.Close() })
	return c.(*conn), r
}

// TestD14AnonymousConnectionsMakeRoom: for a peer's own next one, and for other peers.
func TestD14AnonymousConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newArrivals(t, 16)
		_, own1 := a.accept("192.0.2.1:1")
		_, own2 := a.accept("192.0.2.1:2")
		_, other := a.accept("192.0.2.2:1")
		for port := 3; port <= 4; port++ {
			a.accept(fmt.Sprintf("192.0.2.1:%d", port))
		}
		require.Zero(t, own1.closed)
		a.accept("192.0.2.1:5") // one more than a quarter of all
		require.Equal(t, 1, own1.closed, "its oldest")
		require.Zero(t, own2.closed)
		for i := range 11 {
			a.accept(fmt.Sprintf("[2001:db8:0:%d::1]:1", i))
		}
		require.Equal(t, 16, a.open())
		require.Zero(t, own2.closed)
		a.accept("192.0.2.3:1")
		require.Equal(t, 1, own2.closed, "of the peer that has most")
		require.Zero(t, other.closed)
	})
}

// TestD14AuthenticatedConnectionsStay: whatever comes; a project has its share of them, and
// all of them together leave a reserve.
func TestD14AuthenticatedConnectionsStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newArrivals(t, 16)
		var safe []*remote
		open := func(project string, n int) {
			for range n {
				c, r := a.accept("192.0.2.1:1")
				c.authenticated(project)
				c.authenticated("another") // counts no second time
				safe = append(safe, r)
			}
		}
		open("p-one", 6)
		over, _ := a.accept("192.0.2.1:1")
		over.authenticated("p-one")
		require.Empty(t, over.project, "half of three quarters")
		open("p-two", 5)
		over.authenticated("p-three")
		require.Equal(t, "p-three", over.project, "it is looked at again")
		last, _ := a.accept("192.0.2.1:1")
		last.authenticated("p-four")
		require.Empty(t, last.project, "the rest is a reserve")
		for i := range 100 {
			a.accept(fmt.Sprintf("192.0.2.%d:1", i))
		}
		for _, r := range safe {
			require.Zero(t, r.closed)
		}
		require.NoError(t, over.Close())
		require.NoError(t, over.Close())
		require.Equal(t, 15, a.open())
		require.NotContains(t, a.named, "p-three")
	})
}

// TestD14AnonymousConnectionsExpire: whatever they ask meanwhile; not one with a login, also
// where its project has its share of safe ones.
func TestD14AnonymousConnectionsExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newArrivals(t, 4)
		_, silent := a.accept("192.0.2.1:1")
		var known []*remote
		for i := 2; i < 5; i++ {
			c, r := a.accept(fmt.Sprintf("192.0.2.%d:1", i))
			c.authenticated("p-one")
			known = append(known, r)
		}
		require.Equal(t, map[string]int{"p-one": 2}, a.named)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 1, silent.closed)
		for _, r := range known {
			require.Zero(t, r.closed)
		}
		require.Equal(t, 3, a.open())
	})
}

func TestPeer(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:1":          "192.0.2.1/32",
		"[::ffff:192.0.2.1]:1": "192.0.2.1/32",
		"[2001:db8::1]:1":      "2001:db8::/64",
		"[fe80::1%eth0]:1":     "fe80::/64",
		"@":                    "invalid Prefix",
	} {
		require.Equal(t, want, Peer(remote).String(), remote)
	}
}
