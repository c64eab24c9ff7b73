// Package limits bounds what clients take of an HTTP server: connections, requests a
// second, and memory and time for bodies.
package limits

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// listener bounds the connections that are open. One is anonymous until a request of
// it was authenticated. A new one is always taken: where there is no room, an
// anonymous one is closed for it, the oldest of the peer that has most of them. So
// nobody is kept out by those who came before without a login.
type listener struct {
	net.Listener
	most int
	wait time.Duration // of an anonymous connection for its next request

	mu   sync.Mutex
	open []*conn // oldest first
}

// conn is a connection of a listener. What is below Conn is under the listener's lock.
type conn struct {
	net.Conn
	of       *listener
	peer     netip.Prefix
	idle     *time.Timer // closes it while it is anonymous
	requests int         // that are being answered
	project  string      // of the first login; empty: anonymous
}

// Listen bounds the connections of ln to most, and the time between two requests of
// one without a login. Its server needs ConnContext and Counted.
func Listen(ln net.Listener, most int, wait time.Duration) net.Listener {
	return &listener{Listener: ln, most: most, wait: wait}
}

// perPeer is how many anonymous connections one peer has: a quarter of all.
func (l *listener) perPeer() int { return max(1, l.most/4) }

// mostNamed is how many connections are safe from newcomers: three quarters. The rest
// is a reserve for who comes next. One project has half of them.
func (l *listener) mostNamed() int { return l.most - l.perPeer() }

func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, of: l, peer: Peer(raw.RemoteAddr().String())}
	if displaced := l.add(c); displaced != nil {
		_ = displaced.Conn.Close()
	}
	return c, nil
}

// add makes room for c: the connection that it returns has to be closed.
func (l *listener) add(c *conn) (displaced *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	anonymous, most := map[netip.Prefix]int{}, 0
	for _, other := range l.open {
		if other.project == "" {
			anonymous[other.peer]++
		}
	}
	ownOnly := anonymous[c.peer] >= l.perPeer()
	if ownOnly || len(l.open) >= l.most { // there is one, since not all can be authenticated
		for _, other := range l.open {
			if other.project == "" && anonymous[other.peer] > most && (!ownOnly || other.peer == c.peer) {
				displaced, most = other, anonymous[other.peer]
			}
		}
		l.remove(displaced)
	}
	c.idle = time.AfterFunc(l.wait, c.expire)
	l.open = append(l.open, c)
	return displaced
}

// remove frees its place.
func (l *listener) remove(c *conn) {
	c.idle.Stop()
	l.open = slices.DeleteFunc(l.open, func(other *conn) bool { return other == c })
}

func (c *conn) Close() error {
	c.of.mu.Lock()
	c.of.remove(c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// authenticated makes it the project's, if that has not its share of them yet. Else
// it stays as it is, and is looked at again with the next request.
func (c *conn) authenticated(project string) {
	l := c.of
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.project != "" {
		return
	}
	named, own := 0, 0
	for _, other := range l.open {
		if other.project != "" {
			named++
		}
		if other.project == project {
			own++
		}
	}
	if named < l.mostNamed() && own < (l.mostNamed()+1)/2 {
		c.idle.Stop()
		c.project = project
	}
}

// begin is called before a request of it is answered, end after that.
func (c *conn) begin() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.requests++
	c.idle.Stop()
}

func (c *conn) end() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.requests--; c.requests == 0 && c.project == "" && slices.Contains(c.of.open, c) {
		c.idle.Reset(c.of.wait)
	}
}

// expire closes it, unless a request came in the same moment.
func (c *conn) expire() {
	c.of.mu.Lock()
	expired := c.requests == 0 && c.project == ""
	c.of.mu.Unlock()
	if expired {
		_ = c.Close()
	}
}

type connKey struct{}

// ConnContext is http.Server's.
func ConnContext(ctx context.Context, raw net.Conn) context.Context {
	if secure, ok := raw.(*tls.Conn); ok {
		raw = secure.NetConn()
	}
	return context.WithValue(ctx, connKey{}, raw)
}

// Authenticated tells that a request of this context's connection is a project's.
func Authenticated(ctx context.Context, project string) {
	if c, ok := ctx.Value(connKey{}).(*conn); ok { // not where another server serves it (in tests)
		c.authenticated(project)
	}
}

// Counted tells the connections which of them have a request that is being answered.
func Counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := r.Context().Value(connKey{}).(*conn)
		c.begin()
		defer c.end()
		h.ServeHTTP(w, r)
	})
}

// Peer is the machine at "address:port". Who has one IPv6 address has its /64.
func Peer(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := at.Addr().Unmap().WithZone(""), 64
	if addr.Is4() {
		bits = 32
	}
	peer, _ := addr.Prefix(bits) // never fails with these
	return peer
}
