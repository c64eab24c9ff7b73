// Package limits bounds what clients take of an HTTP server: connections, requests a
// second, the memory of requests, and time for bodies.
package limits

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"time"
)

// listener bounds the connections that are open. One is anonymous until a request of
// it was authenticated, and makes room for others.
type listener struct {
	net.Listener
	most  int
	login time.Duration // from its beginning until an anonymous connection is closed

	mu        sync.Mutex
	anonymous crowd
	named     map[string]int // by project
}

// conn is a connection of a listener. What is below Conn is under the listener's lock.
type conn struct {
	net.Conn
	of      *listener
	guest   *guest
	expires *time.Timer // until a request of it was authenticated
	project string      // of the first login that had room; empty: none, or closed
}

// Listen bounds the connections of ln to most, and the time of one without a login. Its
// server needs ConnContext.
func Listen(ln net.Listener, most int, login time.Duration) net.Listener {
	perPeer := max(1, most/4)
	return &listener{Listener: ln, most: most, login: login, anonymous: newCrowd(int64(perPeer)), named: map[string]int{}}
}

// mostNamed is how many connections are safe from newcomers: three quarters. The rest
// is a reserve for who comes next. One project has half of them.
func (l *listener) mostNamed() int { return l.most - int(l.anonymous.share) }

func (l *listener) allNamed() (all int) {
	for _, n := range l.named {
		all += n
	}
	return all
}

func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, of: l}
	c.guest = &guest{peer: Peer(raw.RemoteAddr().String()), leave: func() { _ = c.Close() }}
	for _, other := range l.add(c) {
		other.leave()
	}
	return c, nil
}

func (l *listener) add(c *conn) (leaving []*guest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.expires = time.AfterFunc(l.login, c.guest.leave)
	l.anonymous.add(c.guest)
	leaving, _ = l.anonymous.grow(c.guest, 1, int64(l.most-l.allNamed()))
	return leaving
}

func (c *conn) Close() error {
	c.free()
	return c.Conn.Close()
}

// free gives its place to others.
func (c *conn) free() {
	l := c.of
	l.mu.Lock()
	defer l.mu.Unlock()
	c.expires.Stop()
	l.anonymous.remove(c.guest)
	if c.project == "" {
		return
	}
	if l.named[c.project]--; l.named[c.project] == 0 {
		delete(l.named, c.project)
	}
	c.project = ""
}

// authenticated makes it the project's, if that has not its share of them yet. Else it
// can be displaced, and is looked at again with the next request.
func (c *conn) authenticated(project string) {
	l := c.of
	l.mu.Lock()
	defer l.mu.Unlock()
	c.expires.Stop()
	if l.allNamed() < l.mostNamed() && l.named[project] < (l.mostNamed()+1)/2 && l.anonymous.remove(c.guest) {
		c.project = project
		l.named[project]++
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
