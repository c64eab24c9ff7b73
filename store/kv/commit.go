package kv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"tripod/store/disk"
)

// defaultLinger is how long a leader waits for company: a commit costs some 0.1 ms of CPU and 1 ms
// of disk, whoever shares it.
const defaultLinger = 3 * time.Millisecond

// committer lets writers that come at about the same time share a transaction: the commit is what
// costs. Whoever finds no leader runs everything that has queued up in one transaction, and hands the
// lead to the first of those that came meanwhile. bbolt's own DB.Batch, which waits for a timer even
// when nobody else comes, takes 1.5 to 6 times as long (BenchmarkSharedCommit).
type committer struct {
	db *bbolt.DB
	// writers is how many may come at any moment.
	writers atomic.Int64
	linger  time.Duration
	commits atomic.Int64 // so far

	mu      sync.Mutex
	led     bool
	pending []*write
	enough  int           // so many pending end the leader's wait; 0: it does not wait
	come    chan struct{} // closed when there are enough
	broken  error         // a commit failed in a way that reopening alone can cure
}

type write struct {
	fn   func(*Tx) error
	err  error
	turn chan bool // true: lead; false: done
}

// do runs fn in a transaction and returns when it is on disk. fn may run more
// than once, so it sets its results afresh and has no other effects.
func (c *committer) do(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &write{fn: fn, turn: make(chan bool, 1)}
	c.mu.Lock()
	c.pending = append(c.pending, w)
	lead := !c.led
	c.led = true
	if c.enough > 0 && len(c.pending) >= c.enough {
		c.enough = 0
		close(c.come)
	}
	c.mu.Unlock()
	if !lead && !<-w.turn {
		return w.err
	}
	group, broken := c.gather()
	for _, w := range group {
		w.err = broken
	}
	if broken == nil {
		broken = c.run(slices.Clone(group))
	}

	c.mu.Lock()
	c.broken = broken
	if len(c.pending) > 0 {
		c.pending[0].turn <- true
	} else {
		c.led = false
	}
	c.mu.Unlock()
	for _, other := range group {
		if other != w {
			other.turn <- false
		}
	}
	return w.err
}

// gather takes what is pending, after a short wait for those who may join.
func (c *committer) gather() (group []*write, broken error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if writers := int(c.writers.Load()); c.linger > 0 && writers > 1 && len(c.pending) < writers {
		c.enough, c.come = writers, make(chan struct{})
		come := c.come
		c.mu.Unlock()
		select {
		case <-come:
		case <-time.After(c.linger):
		}
		c.mu.Lock()
		c.enough = 0
	}
	group, c.pending = c.pending, nil
	return group, c.broken
}

// run commits a group, without the writes that fail half-way, and returns what makes the database
// unusable for writing, if something does.
func (c *committer) run(group []*write) error {
	for len(group) > 0 {
		failed, err := c.try(group)
		switch {
		case failed >= 0:
			group = slices.Delete(group, failed, failed+1)
			continue
		case err == nil:
			return nil
		}
		err = disk.Error("the change is not stored", err)
		for _, w := range group {
			w.err = cmp.Or(w.err, err)
		}
		if !disk.Curable(err) {
			return fmt.Errorf("an earlier write failed, so nothing is written until the state is opened again: %w", err)
		}
		return nil
	}
	return nil
}

// try makes one transaction of the group. failed is the index of a write that
// spoilt it, or -1; err is then that of the transaction.
func (c *committer) try(group []*write) (failed int, err error) {
	btx, err := c.db.Begin(true)
	if err != nil {
		return -1, err
	}
	// Without effect after a commit.
	defer func() { _ = btx.Rollback() }()
	t := &Tx{b: btx}
	for i, w := range group {
		before := t.changes
		w.err = guarded(func() error { return w.fn(t) })
		if w.err == nil {
			w.err = t.err
		}
		if errors.Is(w.err, disk.ErrDamaged) {
			w.err = disk.Error("reading the state", w.err)
		}
		if w.err != nil && t.changes != before {
			return i, nil
		}
	}
	if t.changes == 0 {
		return -1, nil
	}
	c.commits.Add(1)
	return -1, guarded(btx.Commit)
}
