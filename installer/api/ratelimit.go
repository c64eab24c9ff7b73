package api

import (
	"math"
	"net/http"
	"sync"
	"time"

	"tripod/installer"
)

// DefaultRequestRate is Config.RequestRate if nothing is said: far more than
// any client needs, and less than one process can answer.
const DefaultRequestRate = 500

// burstSeconds is for how many seconds' worth of requests a caller that was
// silent may come at once.
const burstSeconds = 4

// maxBuckets bounds those that are kept; callers are tokens and keys that
// exist, so that there are few.
const maxBuckets = 10_000

// rateLimiter is a token bucket per caller.
type rateLimiter struct {
	rate float64 // a second; 0: no limit

	mu      sync.Mutex
	buckets map[installer.Principal]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newRateLimiter(perSecond int) *rateLimiter {
	return &rateLimiter{rate: float64(max(0, perSecond)), buckets: map[installer.Principal]bucket{}}
}

// take counts a request of who, or returns the error that refuses it.
func (l *rateLimiter) take(who installer.Principal, now time.Time) error {
	if l.rate == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	most := l.rate * burstSeconds
	b, known := l.buckets[who]
	switch {
	case known:
		// A clock that was set back gives nothing, and takes nothing.
		b.left = min(most, b.left+l.rate*max(0, now.Sub(b.at).Seconds()))
	default:
		if len(l.buckets) >= maxBuckets {
			clear(l.buckets)
		}
		b.left = most
	}
	b.at = now
	ok := b.left >= 1
	if ok {
		b.left--
	}
	l.buckets[who] = b
	if ok {
		return nil
	}
	e := refuse(http.StatusTooManyRequests, CodeInvalidRequest, "too many requests: at most %g a second for one token or key", l.rate)
	e.RetryAfter = time.Duration(math.Ceil((1-b.left)/l.rate)) * time.Second
	return e
}
