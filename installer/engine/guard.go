package engine

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"sync"
	"time"

	"tripod/installer"
)

const (
	// MaxRefusals: a login that so many hosts of a batch have refused, and none has accepted, is tried
	// on no other one. Hosts that share a directory lock the account after as few as 5.
	MaxRefusals = 3
	// How long after its last answer a login is remembered: servers forget refusals too, and that one
	// was accepted is soon known again.
	refusalsCount = time.Hour
	successCounts = time.Minute
)

// guard knows how the passwords of the batches have fared. A user and a password are one login, on
// however many hosts. It is told by a digest, under a key that only this process has, and is forgotten
// with the process.
type guard struct {
	clock func() time.Time
	key   []byte

	mu     sync.Mutex
	logins map[loginDigest]*loginTries
	swept  time.Time
}

type loginDigest [sha256.Size]byte

// loginTries are what is known of one login.
type loginTries struct {
	accepted   bool
	refused    int
	unanswered int
	underWay   int
	last       time.Time     // answer
	changed    chan struct{} // closed with the next answer
}

type admission int

const (
	waits admission = iota
	admitted
	heldBack
)

// next decides about one more try. Until one host has accepted the login, no more are under way than may
// still be refused, so that the first ones to be worked on at once do not lock the account. What
// ends without an answer makes room for one more: servers that hang do not hold up the others.
func (t *loginTries) next() admission {
	switch {
	case t.accepted:
		return admitted
	case t.refused >= MaxRefusals:
		return heldBack
	case t.underWay < MaxRefusals-t.refused+t.unanswered:
		return admitted
	}
	return waits
}

func newGuard(clock func() time.Time) *guard {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it cannot fail
	return &guard{clock: clock, key: key, logins: map[loginDigest]*loginTries{}}
}

func (g *guard) digest(batch, user string, password installer.Secret) (d loginDigest) {
	mac := hmac.New(sha256.New, g.key)
	fmt.Fprintf(mac, "%d %d %s%s%s", len(batch), len(user), batch, user, password.Reveal())
	return loginDigest(mac.Sum(nil))
}

// of returns the guard of one invocation. free: its logins are tried in any case.
func (g *guard) of(inv *installer.Invocation, free bool) installer.PasswordGuard {
	return func(ctx context.Context, user string, password installer.Secret) (func(installer.PasswordAnswer), error) {
		digest := g.digest(inv.BatchID, user, password)
		g.mu.Lock()
		defer g.mu.Unlock()
		for {
			t := g.tries(digest)
			next := t.next()
			switch {
			case free || next == admitted:
				t.underWay++
				return func(answer installer.PasswordAnswer) { g.answered(t, answer) }, nil
			case next == heldBack:
				return nil, installer.Fail(installer.KindLoginHeldBack,
					"%s@%s: the password was not tried: %d hosts of this batch have refused it, and none has accepted it",
					user, inv.Host.HostPort(), t.refused)
			}
			changed := t.changed
			g.mu.Unlock()
			select {
			case <-changed:
			case <-ctx.Done():
			}
			g.mu.Lock()
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
	}
}

// tries are those of the login. What nobody has heard of for long is forgotten.
func (g *guard) tries(digest loginDigest) *loginTries {
	now := g.clock()
	if now.Sub(g.swept) >= successCounts {
		maps.DeleteFunc(g.logins, func(_ loginDigest, t *loginTries) bool { return t.isOver(now) })
		g.swept = now
	}
	t := g.logins[digest]
	if t == nil || t.isOver(now) {
		t = &loginTries{last: now, changed: make(chan struct{})}
		g.logins[digest] = t
	}
	return t
}

func (t *loginTries) isOver(now time.Time) bool {
	keep := successCounts
	if t.refused > 0 && !t.accepted {
		keep = refusalsCount
	}
	return t.underWay == 0 && now.Sub(t.last) >= keep
}

func (g *guard) answered(t *loginTries, answer installer.PasswordAnswer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.underWay--
	t.last = g.clock()
	switch answer {
	case installer.PasswordAccepted:
		t.accepted = true
	case installer.PasswordRefused:
		t.refused++
	default:
		t.unanswered++
	}
	close(t.changed)
	t.changed = make(chan struct{})
}
