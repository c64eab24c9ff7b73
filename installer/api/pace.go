package api

import (
	"context"
	"io"
	"net/http"
	"time"
)

// A body has to arrive at some pace: while it trickles in, it has a part of the
// budget that others wait for.
const (
	// paceGrace is for the beginning, and what the network makes of it.
	paceGrace = 10 * time.Second
	// unverifiedGrace is that of a body whose sender is not known yet.
	unverifiedGrace = 3 * time.Second
	// paceRate is in bytes a second, from the beginning on.
	paceRate = 64 << 10
)

// pace is how late a body may be.
type pace struct {
	grace time.Duration
	rate  int64 // bytes a second
}

// until is how long after its beginning a body may go on, of which n bytes are
// there; never longer than limit.
func (p pace) until(n int64, limit time.Duration) time.Duration {
	seconds := n / p.rate
	if seconds >= int64(limit/time.Second) {
		return limit
	}
	due := p.grace + time.Duration(seconds)*time.Second + time.Duration(n%p.rate)*time.Second/time.Duration(p.rate)
	return min(due, limit)
}

// pacedBody moves the read deadline on as the body arrives.
type pacedBody struct {
	io.ReadCloser
	pace
	deadline func(time.Time) error
	began    time.Time
	limit    time.Duration // of all of it
	n        int64
}

func (b *pacedBody) Read(p []byte) (int, error) {
	_ = b.deadline(b.began.Add(b.until(b.n, b.limit))) // a server that cannot (in tests) has none
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if err == io.EOF { // net/http goes on reading, to see whether the client has gone
		_ = b.deadline(b.began.Add(b.limit))
	}
	return n, err
}

// arriving is the request's body, which has to keep the pace and to be there within limit.
func (h *handler) arriving(w http.ResponseWriter, c *call, limit time.Duration, p pace) io.ReadCloser {
	return &pacedBody{ReadCloser: c.Body, pace: p, deadline: http.NewResponseController(w).SetReadDeadline, began: time.Now(), limit: limit}
}

// readTimeout is what the server that serves the request has for all.
func readTimeout(ctx context.Context) time.Duration {
	if srv, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok && srv.ReadTimeout > 0 {
		return srv.ReadTimeout
	}
	return defaultReadTimeout
}
