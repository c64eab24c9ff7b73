package limits

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// SmallBody is the size up to which a body counts as small, in bytes.
const SmallBody = 2 << 20

// BudgetWait is how long a request waits for its part of a budget.
const BudgetWait = 10 * time.Second

// AnswerRoom is kept for an answer before its size is known, in bytes.
const AnswerRoom = 128 << 10

// ErrNoRoom: what other requests hold takes all the room.
var ErrNoRoom = errors.New("no room for the request")

// Budget bounds the memory of all requests: header, body and answer, until that is
// written.
type Budget struct {
	Strangers *Strangers // until it is known who asks, and what is refused
	Small     *Quota     // headers, answers and small bodies, by project
	Large     *Quota     // bodies that are larger, by project
}

func NewBudget() *Budget {
	return &Budget{NewStrangers(32 << 20), NewQuota(48 << 20), NewQuota(192 << 20)}
}

// HeaderSize is what the server holds of a request without its body, in bytes: what an
// empty one takes, and each field's place in the header.
func HeaderSize(r *http.Request) int64 {
	size := 16<<10 + 2*len(r.RequestURI)
	for name, values := range r.Header {
		size += len(name) + 96
		for _, v := range values {
			size += len(v) + 16
		}
	}
	return int64(size)
}

// Quota is a number of bytes. A project is lent as much at most as is left for others
// after that: so there is always some for the next one.
type Quota struct {
	Wait time.Duration

	mu      sync.Mutex
	free    int64
	lent    map[string]int64 // by project
	waiting []*waiter        // oldest first
}

type waiter struct {
	of    string
	n     int64
	ready chan struct{}
}

func NewQuota(all int64) *Quota { return &Quota{Wait: BudgetWait, free: all, lent: map[string]int64{}} }

// Borrow waits until there are n bytes for the project; ErrNoRoom if that takes too
// long. All of them at once: what has begun can end.
func (q *Quota) Borrow(ctx context.Context, project string, n int64) (*Loan, error) {
	w := &waiter{project, n, make(chan struct{})}
	q.mu.Lock()
	q.waiting = append(q.waiting, w)
	q.admit()
	q.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, q.Wait)
	defer cancel()
	select {
	case <-w.ready:
	case <-limited.Done():
		if q.forget(w) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return nil, ErrNoRoom
		}
	}
	return &Loan{q, project, n}, nil
}

// admit lends to all that there is room for: a waiter holds up nobody but its own project.
func (q *Quota) admit() {
	held := map[string]bool{}
	q.waiting = slices.DeleteFunc(q.waiting, func(w *waiter) bool {
		if held[w.of] || q.lent[w.of]+w.n > q.free-w.n {
			held[w.of] = true
			return false
		}
		q.lend(w.of, w.n)
		close(w.ready)
		return true
	})
}

func (q *Quota) forget(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, w)
	if i < 0 {
		return false // it was lent in the same moment
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	q.admit()
	return true
}

func (q *Quota) lend(project string, n int64) {
	q.free -= n
	if q.lent[project] += n; q.lent[project] == 0 {
		delete(q.lent, project)
	}
}

// Lent is what all projects have of it.
func (q *Quota) Lent() (all int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, n := range q.lent {
		all += n
	}
	return all
}

// Loan is what one request has of a quota.
type Loan struct {
	quota   *Quota
	project string
	n       int64
}

// Resize makes it n bytes, whether there is room or not: what is done has to be answered.
func (l *Loan) Resize(n int64) {
	if l == nil {
		return
	}
	l.quota.mu.Lock()
	defer l.quota.mu.Unlock()
	l.quota.lend(l.project, n-l.n)
	l.n = n
	l.quota.admit()
}

func (l *Loan) Close() { l.Resize(0) }
