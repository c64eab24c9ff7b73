package limits

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// conn is a connection of a listener. What is below Conn is under the listener's lock.
type conn struct {
	net.Conn
	of       *listener
	peer     netip.Prefix
	number   uint64
	idle     *time.Timer // closes it while it is anonymous
	requests int         // that are being answered
	project  string      // of the first login; empty: anonymous
	gone     bool
}

func (c *conn) Close() error {
	c.of.mu.Lock()
	c.leave()
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// leave frees its place, once.
func (c *conn) leave() {
	if c.gone {
		return
	}
	c.gone = true
	c.idle.Stop()
	c.of.open--
	if c.project == "" {
		c.forget()
		return
	}
	c.of.named--
	if c.of.projects[c.project]--; c.of.projects[c.project] == 0 {
		delete(c.of.projects, c.project)
	}
}

// forget takes it off the list of the anonymous ones.
func (c *conn) forget() {
	others := slices.DeleteFunc(c.of.anonymous[c.peer], func(other *conn) bool { return other == c })
	if c.of.anonymous[c.peer] = others; len(others) == 0 {
		delete(c.of.anonymous, c.peer)
	}
}

// authenticated makes it the project's, if that has not its share of them yet. Else
// it stays as it is, and is looked at again with the next request.
func (c *conn) authenticated(project string) {
	l := c.of
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.gone || c.project != "" || l.named >= l.authenticated() || l.projects[project] >= l.perProject() {
		return
	}
	c.forget()
	c.idle.Stop()
	c.project = project
	l.named++
	l.projects[project]++
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
	if c.requests--; c.requests == 0 && c.project == "" && !c.gone {
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
