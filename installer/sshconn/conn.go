package sshconn

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

// cancelGrace is how long a server has to bring an operation to an orderly end
// after its context is done. Then the connection is closed.
const cancelGrace = time.Second

// Conn is one authenticated connection to one host. Its methods may be called
// from several goroutines; uploads run one after the other. Every method
// returns within a second or so after its context is done, and its error is an
// *installer.Failure.
type Conn struct {
	ssh     ssh.Conn
	wire    *wire
	limits  *installer.Limits
	dead    chan struct{}          // closed when the connection has ended
	why     atomic.Pointer[string] // why we ended it
	release func()                 // the installer it goes through
	hops    []installer.Endpoint   // the way there
	closing sync.Once

	leaving    atomic.Pointer[departure] // the last one, if any
	hadSession atomic.Bool
	watching   watcher
	sftp       sftpState
}

func newConn(d *Dialer, sc ssh.Conn, w *wire, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) *Conn {
	c := &Conn{ssh: sc, wire: w, limits: &d.limits, dead: make(chan struct{})}
	go func() {
		discard(chans, reqs)
		close(c.dead)
	}()
	return c
}

// discard refuses whatever the server asks for, until the connection ends.
// Both channels must be served, or x/crypto stops reading.
func discard(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	for chans != nil || reqs != nil {
		select {
		case ch, ok := <-chans:
			if !ok {
				chans = nil
				continue
			}
			_ = ch.Reject(ssh.Prohibited, "not offered")
		case r, ok := <-reqs:
			if !ok {
				reqs = nil
				continue
			}
			if r.WantReply {
				_ = r.Reply(false, nil)
			}
		}
	}
}

// Hops are the installers that the connection goes through, first hop first.
func (c *Conn) Hops() []installer.Endpoint { return c.hops }

// Close ends the connection and returns without waiting for the server. More
// calls do nothing.
func (c *Conn) Close() error {
	c.kill("closed")
	c.closing.Do(func() {
		if c.release != nil {
			c.release()
		}
	})
	return nil
}

// kill ends the connection; the first reason is kept.
func (c *Conn) kill(why string) {
	c.why.CompareAndSwap(nil, &why)
	_ = c.wire.Close()
}

// alive reports whether the connection has not ended yet.
func (c *Conn) alive() bool {
	select {
	case <-c.dead:
		return false
	default:
		return c.why.Load() == nil
	}
}

// broken reports whether the connection has ended below SSH, which is known a
// little earlier than that it is not alive.
func (c *Conn) broken() bool { return c.wire.err() != nil || !c.alive() }

// lost is the Failure of an operation whose connection ended.
func (c *Conn) lost(when string) *installer.Failure {
	return failf(installer.KindLostContact, c.wire.err(), "%s %s", c.reason(), when)
}

// reason says how the connection ended, or that it seems to.
func (c *Conn) reason() string {
	if why := c.why.Load(); why != nil {
		return *why
	}
	if c.wire.err() != nil {
		return "the connection broke"
	}
	return "the server ended it"
}

// guard bounds an operation that cannot be interrupted: past its limit, or
// cancelGrace after its context is done, the connection is closed under it.
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

func (c *Conn) guard(ctx context.Context, limit time.Duration, why string) *guard {
	g := &guard{c: c, ctx: ctx, limit: limit, reads: c.wire.reads.Load()}
	g.timer = time.AfterFunc(limit, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !g.over {
			g.fired.Store(true)
			c.kill(why)
		}
	})
	g.stop = context.AfterFunc(ctx, func() { g.reset(min(limit, cancelGrace)) })
	return g
}

// touch starts the limit anew: there was progress.
func (g *guard) touch() {
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

// done ends the guard; nothing arms it again.
func (g *guard) done() {
	g.stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	g.timer.Stop()
}

// silent: nothing at all was heard from the server since the guard began, not
// even an answer to a keepalive.
func (g *guard) silent() bool { return g.c.wire.reads.Load() == g.reads }
