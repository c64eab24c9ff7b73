package api

import (
	"math"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tripod/installer"
)

// DefaultRequestRate is Config.RequestRate if nothing is said: far more than
// any client needs, and less than one process can answer.
const DefaultRequestRate = 500

// burstSeconds is for how many seconds' worth of requests a caller that was
// silent may come at once.
const burstSeconds = 4

// maxLimiters bounds those that are kept; callers are tokens and keys that
// exist, so that there are few.
const maxLimiters = 10_000

// rateLimiter bounds the requests of each caller.
type rateLimiter struct {
	perSecond int // 0 or less: no limit

	mu      sync.Mutex
	callers map[installer.Principal]*rate.Limiter
}

func newRateLimiter(perSecond int) *rateLimiter {
	return &rateLimiter{perSecond: perSecond, callers: map[installer.Principal]*rate.Limiter{}}
}

// take counts a request of who, or returns the error that refuses it.
func (l *rateLimiter) take(who installer.Principal, now time.Time) error {
	if l.perSecond <= 0 {
		return nil
	}
	request := l.caller(who).ReserveN(now, 1)
	wait := request.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	request.CancelAt(now)
	e := refuse(http.StatusTooManyRequests, CodeInvalidRequest, "too many requests: at most %d a second for one token or key", l.perSecond)
	e.RetryAfter = time.Duration(math.Ceil(wait.Seconds())) * time.Second
	return e
}

func (l *rateLimiter) caller(who installer.Principal) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.callers[who]
	if limiter == nil {
		if len(l.callers) >= maxLimiters {
			clear(l.callers)
		}
		limiter = rate.NewLimiter(rate.Limit(l.perSecond), l.perSecond*burstSeconds)
		l.callers[who] = limiter
	}
	return limiter
}
