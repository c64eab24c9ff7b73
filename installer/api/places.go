package api

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A body over 2 MiB has a place before it is read, until its request is
// answered: they bound the daemon's memory.
const (
	// largeBodies is how many there are at a time, of all projects.
	largeBodies = 4
	// largeShare is how many of them one project has.
	largeShare = 2
	// largeWait is how long a request waits for its turn.
	largeWait = 10 * time.Second
)

// places are handed out in the order in which they were asked for, past those
// whose project has its share.
type places struct {
	mu      sync.Mutex
	free    int
	share   int
	held    map[string]int // by project; none are 0
	waiting []*waiter
}

type waiter struct {
	project string
	turn    chan struct{} // closed when it has a place
}

func newPlaces(n, share int) *places {
	return &places{free: n, share: share, held: map[string]int{}}
}

// take waits for a place. leave gives it back, once.
func (p *places) take(ctx context.Context, project string) (leave func(), err error) {
	w := &waiter{project, make(chan struct{})}
	p.mu.Lock()
	p.waiting = append(p.waiting, w)
	p.handOut()
	p.mu.Unlock()
	leave = sync.OnceFunc(func() { p.leave(project) })
	timer := time.NewTimer(largeWait)
	defer timer.Stop()
	select {
	case <-w.turn:
		return leave, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		e := refuse(http.StatusTooManyRequests, CodeInvalidRequest, "other large requests are being read: try again")
		e.RetryAfter = largeWait
		err = e
	}
	if !p.giveUp(w) {
		leave()
	}
	return nil, err
}

// handOut gives what is free to those who may have it.
func (p *places) handOut() {
	p.waiting = slices.DeleteFunc(p.waiting, func(w *waiter) bool {
		if p.free == 0 || p.held[w.project] >= p.share {
			return false
		}
		p.free--
		p.held[w.project]++
		close(w.turn)
		return true
	})
}

func (p *places) leave(project string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free++
	if p.held[project]--; p.held[project] == 0 {
		delete(p.held, project)
	}
	p.handOut()
}

// giveUp reports whether w was still waiting; else it has a place.
func (p *places) giveUp(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := len(p.waiting)
	p.waiting = slices.DeleteFunc(p.waiting, func(other *waiter) bool { return other == w })
	return len(p.waiting) < before
}

// admit waits until there is room for the request's body. What is too large
// by what it says of itself is not waited for: it is refused.
func (h *handler) admit(w http.ResponseWriter, c *call, rt route, project string) error {
	if rt.bodyLimit() <= maxBody || c.leave != nil || c.ContentLength > rt.bodyLimit() || c.ContentLength >= 0 && c.ContentLength <= maxBody {
		return nil
	}
	leave, err := h.large.take(c.Context(), project)
	if err != nil {
		w.Header().Set("Connection", "close") // nobody reads the body
		return err
	}
	c.leave = leave
	h.pace(w, c, rt)
	return nil
}

// done gives the body's place to the next one.
func (c *call) done() {
	c.body = nil
	if c.leave != nil {
		c.leave()
	}
}
