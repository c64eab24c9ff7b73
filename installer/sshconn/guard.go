package sshconn

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// guard bounds an operation that cannot be interrupted: past its limit, or
// cancelGrace after its context is done, it closes the connection.
type guard struct {
	c     *Conn
	ctx   context.Context
	limit time.Duration
	reads uint32
	stop  func() bool
	fired atomic.Bool

	mu    sync.Mutex
	over  bool
	timer *time.Timer
}

func (c *Conn) guard(ctx context.Context, limit time.Duration, cause string) *guard {
	g := &guard{c: c, ctx: ctx, limit: limit, reads: c.wire.reads.Load()}
	g.timer = time.AfterFunc(limit, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !g.over {
			g.fired.Store(true)
			c.end(cause)
		}
	})
	g.stop = context.AfterFunc(ctx, func() { g.reset(min(limit, cancelGrace)) })
	return g
}

func (g *guard) progress() {
	if g.ctx.Err() == nil {
		g.reset(g.limit)
	}
}

func (g *guard) reset(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.over {
		g.timer.Reset(d)
	}
}

func (g *guard) done() {
	g.stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	g.timer.Stop()
}

// silent: not even an answer to a keepalive has come since the guard began.
func (g *guard) silent() bool { return g.c.wire.reads.Load() == g.reads }
