package sshdial

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"tripod/installer"
)

const (
	failedHold = 30 * time.Second // may be over soon
	// rejectedHold is longer than any task retries by itself, since accounts lock.
	rejectedHold   = 10 * time.Minute
	lastResortHold = 3 * time.Second // if no other jump host is left
)

// How long a failure is the answer to all who want that jump host and no other: a
// rejected login must not be tried again for each target, since accounts lock, and
// a queue of targets must not wait for each in turn.
const (
	recentFailure = 2 * time.Second
	recentFinal   = time.Minute // where a retry does not help
)

// breaker is a circuit breaker for each route to a jump host, with its logins:
// while it is open, the jump host is passed over.
type breaker struct {
	clock   func() time.Time
	longest time.Duration // that one try takes

	mu   sync.Mutex
	open map[string]*outage
}

type outage struct {
	fail  *installer.Failure
	seen  time.Time
	until time.Time
}

func newBreaker(limits installer.Limits) breaker {
	return breaker{clock: time.Now, longest: limits.Connect + limits.Handshake + limits.Auth, open: map[string]*outage{}}
}

// allow reports whether a jump host may be tried. Once its hold is over one
// caller may, and the others pass it over until that one knows more.
func (b *breaker) allow(key string, lastResort bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.open[key]
	if o == nil {
		return true
	}
	now := b.clock()
	if lastResort && !loginRejected(o.fail) {
		return now.Sub(o.seen) >= lastResortHold
	}
	if now.Before(o.until) {
		return false
	}
	o.until = now.Add(b.longest)
	return true
}

func (b *breaker) anyOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open) > 0
}

func (b *breaker) failed(key string, fail *installer.Failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock()
	maps.DeleteFunc(b.open, func(_ string, o *outage) bool { return now.Sub(o.seen) > rejectedHold+b.longest })
	hold := failedHold
	if loginRejected(fail) {
		hold = rejectedHold
	}
	b.open[key] = &outage{fail, now, now.Add(hold)}
}

// recent is a failure that is not to be tried again yet, or nil.
func (b *breaker) recent(key string) *installer.Failure {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.open[key]
	if o == nil {
		return nil
	}
	hold := recentFailure
	if o.fail.Kind.Info().Tries == 1 {
		hold = recentFinal
	}
	if b.clock().Sub(o.seen) >= hold {
		return nil
	}
	f := *o.fail // callers add to theirs
	return &f
}

func (b *breaker) succeeded(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, key)
}

// abandoned ends a try without a result: the next caller may try.
func (b *breaker) abandoned(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.open[key]; o != nil && !loginRejected(o.fail) {
		o.until = b.clock()
	}
}

func (b *breaker) lastFailure(key string) (*installer.Failure, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.open[key]
	if o == nil {
		return nil, ""
	}
	return o.fail, fmt.Sprintf(", %s ago", b.clock().Sub(o.seen).Round(time.Second))
}

func loginRejected(f *installer.Failure) bool {
	return f.Kind == installer.KindAuthRejected || f.Kind == installer.KindPasswordExpired
}
