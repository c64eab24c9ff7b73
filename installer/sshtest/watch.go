package sshtest

import (
	"errors"
	"os"
	"sync"
	"time"
)

// maxSpare bounds what a stalling connection takes in while it watches.
const maxSpare = 1 << 20

// watch reads on, if nobody else does, so that a client's leaving is noticed
// during a stall. What comes is kept for later. stop calls the watcher back by a
// deadline, which is gone before anybody else can read.
func (c *conn) watch() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	holding, stopped := false, false
	go func() {
		defer close(done)
		select {
		case c.reading <- struct{}{}:
		case <-quit:
			return
		case <-c.gone:
			return
		}
		defer func() { <-c.reading }()
		mu.Lock()
		holding = !stopped
		mu.Unlock()
		if !holding {
			return
		}
		defer func() {
			mu.Lock()
			holding = false
			if stopped {
				_ = c.SetReadDeadline(time.Time{})
			}
			mu.Unlock()
		}()
		buf := make([]byte, 4096)
		for c.readErr == nil && len(c.spare) < maxSpare {
			n, err := c.Conn.Read(buf)
			c.spare = append(c.spare, buf[:n]...)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
			if err != nil {
				c.readErr = err
				c.end(true)
			}
		}
	}()
	return func() {
		mu.Lock()
		stopped = true
		if holding {
			_ = c.SetReadDeadline(time.Unix(1, 0))
		}
		mu.Unlock()
		close(quit)
		<-done
	}
}
