package limits

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tripod/installer"
)

const (
	// burstSeconds is for how many seconds' worth of requests a caller that was
	// silent may come at once.
	burstSeconds = 4
	maxCallers   = 10_000 // that are kept; they are tokens and keys that exist
)

// Rates bounds the requests of each caller.
type Rates struct {
	PerSecond int // 0 or less: no limit

	mu      sync.Mutex
	callers map[installer.Principal]*rate.Limiter
}

// Take counts a request of who, or returns how long it has to wait.
func (r *Rates) Take(who installer.Principal, now time.Time) (wait time.Duration) {
	if r.PerSecond <= 0 {
		return 0
	}
	request := r.caller(who).ReserveN(now, 1)
	if wait = request.DelayFrom(now); wait > 0 {
		request.CancelAt(now)
	}
	return wait
}

func (r *Rates) caller(who installer.Principal) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if limiter := r.callers[who]; limiter != nil {
		return limiter
	}
	if r.callers == nil || len(r.callers) >= maxCallers {
		r.callers = map[installer.Principal]*rate.Limiter{}
	}
	r.callers[who] = rate.NewLimiter(rate.Limit(r.PerSecond), r.PerSecond*burstSeconds)
	return r.callers[who]
}
