package sshconn

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A peer may be silent for keepaliveTicks ticks of Limits.Keepalive/keepaliveTicks each. The first
// silent one asks, the last gives up: a living peer has half of the limit for its answer.
const keepaliveTicks = 4

// keepalive notices a silent peer while somebody waits for it: one timer for the connection.
type keepalive struct {
	mu      sync.Mutex
	waiting int
	timer   *time.Timer
	reads   uint32
	silent  int // ticks in a row
	asking  bool
}

// StartKeepalive is for who begins to wait for the server; one StopKeepalive ends each.
func (c *Conn) StartKeepalive() {
	w := &c.keepalive
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting++; w.waiting > 1 {
		return
	}
	w.reads, w.silent = c.wire.reads.Load(), 0
	if w.timer == nil {
		w.timer = time.AfterFunc(c.tick(), c.onTick)
	} else {
		w.timer.Reset(c.tick())
	}
}

func (c *Conn) StopKeepalive() {
	w := &c.keepalive
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting--; w.waiting == 0 {
		w.timer.Stop()
	}
}

// Responds reports whether the server sends anything within the limit when it
// is asked to. Its answer may wait behind others: whatever is received counts.
func (c *Conn) Responds(ctx context.Context, limit time.Duration) bool {
	reads := c.wire.reads.Load()
	answered := make(chan bool, 1)
	go func() { answered <- c.ping() == nil }()
	select {
	case ok := <-answered:
		return ok
	case <-time.After(limit):
		return c.wire.reads.Load() != reads
	case <-ctx.Done():
	}
	return false
}

func (c *Conn) ping() error {
	_, _, err := c.ssh.SendRequest("keepalive@openssh.com", true, nil)
	return err
}

func (c *Conn) tick() time.Duration { return c.limits.Keepalive / keepaliveTicks }

func (c *Conn) onTick() {
	w := &c.keepalive
	w.mu.Lock()
	if w.waiting == 0 || !c.alive() {
		w.mu.Unlock()
		return
	}
	if now := c.wire.reads.Load(); now != w.reads {
		w.reads, w.silent = now, 0
	} else {
		w.silent++
	}
	if w.silent >= keepaliveTicks-1 {
		w.mu.Unlock()
		c.end(fmt.Sprintf("nothing heard from the server for %s", c.limits.Keepalive))
		return
	}
	ask := w.silent > 0 && !w.asking
	if ask {
		w.asking = true
	}
	w.timer.Reset(c.tick())
	w.mu.Unlock()
	if ask {
		_ = c.ping()
		w.mu.Lock()
		w.asking = false
		w.mu.Unlock()
	}
}
