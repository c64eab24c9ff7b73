// Package limits bounds what clients take of an HTTP server: connections, requests a
// second, and memory and time for bodies.
package limits

import (
	"net"
	"net/netip"
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

	mu        sync.Mutex
	anonymous map[netip.Prefix][]*conn // by peer, oldest first
	projects  map[string]int           // the authenticated ones
	named     int                      // all of those
	open      int
	accepted  uint64
}

// Listen bounds the connections of ln to most, and the time between two requests of
// one without a login. Its server needs ConnContext and Counted.
func Listen(ln net.Listener, most int, wait time.Duration) net.Listener {
	return &listener{Listener: ln, most: most, wait: wait, anonymous: map[netip.Prefix][]*conn{}, projects: map[string]int{}}
}

// perPeer is how many anonymous connections one peer has: a quarter of all.
func (l *listener) perPeer() int { return max(1, l.most/4) }

// authenticated is how many connections are safe from newcomers: three quarters.
// The rest is a reserve for who comes next.
func (l *listener) authenticated() int { return l.most - l.perPeer() }

// perProject is how many of those one project has.
func (l *listener) perProject() int { return (l.authenticated() + 1) / 2 }

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
	switch {
	case len(l.anonymous[c.peer]) >= l.perPeer():
		displaced = l.anonymous[c.peer][0]
	case l.open >= l.most:
		displaced = l.oldestOfMost()
	}
	if displaced != nil {
		displaced.leave()
	}
	l.accepted++
	l.open++
	c.number = l.accepted
	c.idle = time.AfterFunc(l.wait, c.expire)
	l.anonymous[c.peer] = append(l.anonymous[c.peer], c)
	return displaced
}

// oldestOfMost: there is one, since not all connections can be authenticated.
func (l *listener) oldestOfMost() (found *conn) {
	most := 0
	for _, all := range l.anonymous {
		if len(all) > most || len(all) == most && all[0].number < found.number {
			found, most = all[0], len(all)
		}
	}
	return found
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
