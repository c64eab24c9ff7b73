package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// The budget of bytes for the bodies of all requests: 256 MiB. A body has its part
// from before it is read until its request is answered.
const (
	unverifiedBodies, unverifiedPerPeer = 16 << 20, 4 << 20
	smallBodies, smallPerProject        = 48 << 20, 16 << 20
	largeBodies, largePerProject        = 192 << 20, 128 << 20

	// budgetWait is how long a request waits for its part.
	budgetWait = 10 * time.Second
)

// budget bounds the memory that bodies take. Its three quotas are apart so that
// large bodies do not hold up small ones, nor unverified ones anybody's.
type budget struct {
	unverified *quota // bodies that are read to verify their signature; by peer
	small      *quota // bodies of at most maxBody; by project
	large      *quota // larger ones; by project
	wait       time.Duration
}

func newBudget() *budget {
	return &budget{
		unverified: newQuota(unverifiedBodies, unverifiedPerPeer),
		small:      newQuota(smallBodies, smallPerProject),
		large:      newQuota(largeBodies, largePerProject),
		wait:       budgetWait,
	}
}

// borrow waits until there is room for a body of n bytes.
func (b *budget) borrow(ctx context.Context, project string, n int64) (*loan, error) {
	q := b.small
	if n > maxBody {
		q = b.large
	}
	l := q.loan(project)
	limited, cancel := context.WithTimeout(ctx, b.wait)
	defer cancel()
	if l.wait(limited, n) == nil {
		return l, nil
	}
	l.close()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e := refuse(http.StatusTooManyRequests, CodeInvalidRequest, "the bodies of other requests take all the room that there is: try again")
	e.RetryAfter = budgetWait
	return nil, e
}

// quota is a number of bytes of which each owner has a share at most. Who waits
// for its own share holds up no other owner.
type quota struct {
	all   *semaphore.Weighted
	share int64

	mu     sync.Mutex
	owners map[string]*owner // that have a loan
}

type owner struct {
	share *semaphore.Weighted
	loans int
}

func newQuota(all, share int64) *quota {
	return &quota{all: semaphore.NewWeighted(all), share: share, owners: map[string]*owner{}}
}

// loan of no bytes yet. It has to be closed.
func (q *quota) loan(of string) *loan {
	q.mu.Lock()
	defer q.mu.Unlock()
	o := q.owners[of]
	if o == nil {
		o = &owner{share: semaphore.NewWeighted(q.share)}
		q.owners[of] = o
	}
	o.loans++
	return &loan{quota: q, owner: o, of: of}
}

// loan is what one body has of a quota.
type loan struct {
	*quota
	*owner
	of string
	n  int64
}

// wait adds n bytes once they are free.
func (l *loan) wait(ctx context.Context, n int64) error {
	if err := l.owner.share.Acquire(ctx, n); err != nil {
		return err
	}
	if err := l.all.Acquire(ctx, n); err != nil {
		l.owner.share.Release(n)
		return err
	}
	l.n += n
	return nil
}

// try adds n bytes if they are free now.
func (l *loan) try(n int64) bool {
	if !l.owner.share.TryAcquire(n) {
		return false
	}
	if !l.all.TryAcquire(n) {
		l.owner.share.Release(n)
		return false
	}
	l.n += n
	return true
}

// close gives all of it back. A nil loan has nothing.
func (l *loan) close() {
	if l == nil {
		return
	}
	l.all.Release(l.n)
	l.owner.share.Release(l.n)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loans--; l.loans == 0 {
		delete(l.owners, l.of)
	}
}
