package sshconn

import (
	"fmt"
	"sync"
	"time"

	"tripod/installer"
)

// How long an installer that could not be used is passed over.
const (
	// unwellFor is for what may be over soon.
	unwellFor = 30 * time.Second
	// refusedFor is for a login that was refused: longer than any task tries by
	// itself, since accounts lock. Another login is another matter at once.
	refusedFor = 10 * time.Minute
	// askAgain is how soon one is asked again if no other installer is left.
	askAgain = 3 * time.Second
)

// unwell remembers which installers could not be used, by the way to them and the
// logins.
type unwell struct {
	clock func() time.Time
	probe time.Duration // the longest that one try takes

	mu sync.Mutex
	m  map[string]*illness
}

type illness struct {
	fail  *installer.Failure
	seen  time.Time
	until time.Time // it is passed over
}

func newUnwell(clock func() time.Time, limits installer.Limits) unwell {
	return unwell{clock: clock, probe: limits.Connect + limits.Handshake + limits.Auth, m: map[string]*illness{}}
}

// may tells whether an installer may be tried. Once its time is over one caller
// may, and the others pass it over until that one knows more.
func (u *unwell) may(key string, lastResort bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := u.m[key]
	if i == nil {
		return true
	}
	now := u.clock()
	if lastResort && !loginRefused(i.fail) {
		return now.Sub(i.seen) >= askAgain
	}
	if now.Before(i.until) {
		return false
	}
	i.until = now.Add(u.probe)
	return true
}

// any tells whether there is one.
func (u *unwell) any() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.m) > 0
}

// failed is told that it could not be used.
func (u *unwell) failed(key string, fail *installer.Failure) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.clock()
	for old, i := range u.m {
		if now.Sub(i.seen) > refusedFor+u.probe {
			delete(u.m, old)
		}
	}
	hold := unwellFor
	if loginRefused(fail) {
		hold = refusedFor
	}
	u.m[key] = &illness{fail, now, now.Add(hold)}
}

// well is told that it could be used.
func (u *unwell) well(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.m, key)
}

// unknown is told that a try was given up: the next caller may.
func (u *unwell) unknown(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i := u.m[key]; i != nil && !loginRefused(i.fail) {
		i.until = u.clock()
	}
}

// why is what was wrong with it, and how long ago that was, for people.
func (u *unwell) why(key string) (*installer.Failure, string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := u.m[key]
	if i == nil {
		return nil, ""
	}
	return i.fail, fmt.Sprintf(", %s ago", u.clock().Sub(i.seen).Round(time.Second))
}

// loginRefused: the server is there, and does not let us in.
func loginRefused(f *installer.Failure) bool {
	return f.Kind == installer.KindAuthRejected || f.Kind == installer.KindPasswordExpired
}
