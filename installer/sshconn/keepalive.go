package sshconn

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// The peer may be silent for keepaliveTicks ticks of Limits.Keepalive /
// keepaliveTicks each. A tick with something received begins the count anew;
// the first silent one asks, the last one gives up. So a dead peer is noticed
// within Limits.Keepalive, and a living one has half of it for its answer.
const keepaliveTicks = 4

// watcher notices a silent peer while somebody waits for it: one timer for the
// whole connection, and none while nobody waits.
type watcher struct {
	mu      sync.Mutex
	waiting int
	timer   *time.Timer
	reads   uint32
	silent  int
	asking  bool
}

// watch is called when an operation begins to wait, unwatch when it ends.
func (c *Conn) watch() {
	w := &c.watching
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

func (c *Conn) unwatch() {
	w := &c.watching
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting--; w.waiting == 0 {
		w.timer.Stop()
	}
}

// answerWithin is how long a server has to show that it is there when something
// else has not come in time.
const answerWithin = 3 * time.Second

// answers asks the server for any answer. A goroutine waits for it; it ends with the
// connection at latest. Answers come one after the other: where many ask at once,
// what is heard of the others' counts.
func (c *Conn) answers(ctx context.Context, limit time.Duration) bool {
	reads := c.wire.reads.Load()
	said := make(chan bool, 1)
	go func() {
		_, _, err := c.ssh.SendRequest("keepalive@openssh.com", true, nil)
		said <- err == nil
	}()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case ok := <-said:
		return ok
	case <-t.C:
		return c.wire.reads.Load() != reads
	case <-ctx.Done():
	}
	return false
}

func (c *Conn) tick() time.Duration { return c.limits.Keepalive / keepaliveTicks }

func (c *Conn) onTick() {
	w := &c.watching
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
		c.kill(fmt.Sprintf("nothing heard from the server for %s", c.limits.Keepalive))
		return
	}
	ask := w.silent > 0 && !w.asking
	if ask {
		w.asking = true
	}
	w.timer.Reset(c.tick())
	w.mu.Unlock()
	if ask {
		// Blocks until answered, or until the connection is closed.
		_, _, _ = c.ssh.SendRequest("keepalive@openssh.com", true, nil)
		w.mu.Lock()
		w.asking = false
		w.mu.Unlock()
	}
}
