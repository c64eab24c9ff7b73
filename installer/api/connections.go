package api

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// connections is a listener that bounds those that are open. One is anonymous until
// a request of it was authenticated. A new one is always taken: where there is no
// room, an anonymous one is closed for it, the oldest of the peer that has most of
// them. So nobody is kept out by those who came before without a login.
type connections struct {
	net.Listener
	most int
	wait time.Duration // of an anonymous one for its next request

	mu        sync.Mutex
	anonymous map[netip.Prefix][]*conn // by peer, oldest first
	projects  map[string]int           // the authenticated ones
	named     int                      // all of those
	open      int
	accepted  uint64
}

func newConnections(ln net.Listener, most int, wait time.Duration) *connections {
	return &connections{Listener: ln, most: most, wait: wait, anonymous: map[netip.Prefix][]*conn{}, projects: map[string]int{}}
}

// perPeer is how many anonymous connections one peer has: a quarter of all.
func (l *connections) perPeer() int { return max(1, l.most/4) }

// authenticated is how many connections are safe from newcomers: three quarters.
// The rest is a reserve for who comes next.
func (l *connections) authenticated() int { return l.most - l.perPeer() }

// perProject is how many of those one project has.
func (l *connections) perProject() int { return (l.authenticated() + 1) / 2 }

func (l *connections) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, of: l, peer: peerOf(raw.RemoteAddr().String())}
	if displaced := l.add(c); displaced != nil {
		_ = displaced.Conn.Close()
	}
	return c, nil
}

// add makes room for c: the connection that it returns has to be closed.
func (l *connections) add(c *conn) (displaced *conn) {
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
func (l *connections) oldestOfMost() (found *conn) {
	most := 0
	for _, all := range l.anonymous {
		if len(all) > most || len(all) == most && all[0].number < found.number {
			found, most = all[0], len(all)
		}
	}
	return found
}
