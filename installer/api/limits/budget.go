package limits

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// SmallBody is the size up to which a body counts as small, in bytes.
const SmallBody = 2 << 20

// BudgetWait is how long a request waits for its part of a budget.
const BudgetWait = 10 * time.Second

// ErrNoRoom: the bodies of other requests take all the room.
var ErrNoRoom = errors.New("no room for the body")

// Budget bounds the memory for the bodies of all requests, 256 MiB. Its quotas are apart
// so that large bodies do not hold up small ones, nor unverified ones anybody's.
type Budget struct {
	Unverified *Quota // bodies that are read to verify their signature; by peer
	Small      *Quota // by project
	Large      *Quota // by project
	Wait       time.Duration
}

func NewBudget() *Budget {
	return &Budget{NewQuota(16<<20, 4<<20), NewQuota(48<<20, 16<<20), NewQuota(192<<20, 128<<20), BudgetWait}
}

// Borrow waits until there is room for a body of n bytes; ErrNoRoom if that takes
// too long.
func (b *Budget) Borrow(ctx context.Context, project string, n int64) (*Loan, error) {
	q := b.Small
	if n > SmallBody {
		q = b.Large
	}
	l := q.Loan(project)
	limited, cancel := context.WithTimeout(ctx, b.Wait)
	defer cancel()
	if l.wait(limited, n) == nil {
		return l, nil
	}
	l.Close()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, ErrNoRoom
}

// Quota is a number of bytes of which each owner has a share at most. Who waits
// for its own share holds up no other owner.
type Quota struct {
	all   *semaphore.Weighted
	share int64

	mu     sync.Mutex
	owners map[string]*owner // that have a loan
}

type owner struct {
	share *semaphore.Weighted
	loans int
}

func NewQuota(all, share int64) *Quota {
	return &Quota{all: semaphore.NewWeighted(all), share: share, owners: map[string]*owner{}}
}

// Owners is how many have a loan.
func (q *Quota) Owners() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.owners)
}

// Loan of no bytes yet. It has to be closed.
func (q *Quota) Loan(of string) *Loan {
	q.mu.Lock()
	defer q.mu.Unlock()
	o := q.owners[of]
	if o == nil {
		o = &owner{share: semaphore.NewWeighted(q.share)}
		q.owners[of] = o
	}
	o.loans++
	return &Loan{quota: q, owner: o, of: of}
}

// Loan is what one body has of a quota.
type Loan struct {
	quota *Quota
	owner *owner
	of    string
	n     int64
}

func (l *Loan) wait(ctx context.Context, n int64) error {
	return l.take(n, func(s *semaphore.Weighted) error { return s.Acquire(ctx, n) })
}

// Try adds n bytes if they are free now.
func (l *Loan) Try(n int64) bool {
	return l.take(n, func(s *semaphore.Weighted) error {
		if !s.TryAcquire(n) {
			return ErrNoRoom
		}
		return nil
	}) == nil
}

func (l *Loan) take(n int64, acquire func(*semaphore.Weighted) error) error {
	if err := acquire(l.owner.share); err != nil {
		return err
	}
	if err := acquire(l.quota.all); err != nil {
		l.owner.share.Release(n)
		return err
	}
	l.n += n
	return nil
}

// Close gives all of it back. A nil loan has nothing.
func (l *Loan) Close() {
	if l == nil {
		return
	}
	l.quota.all.Release(l.n)
	l.owner.share.Release(l.n)
	l.quota.mu.Lock()
	defer l.quota.mu.Unlock()
	if l.owner.loans--; l.owner.loans == 0 {
		delete(l.quota.owners, l.of)
	}
}
