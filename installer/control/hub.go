package control

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"tripod/installer"
	"tripod/installer/api"
)

// Hub keeps the newest events of the engine for those who follow it. It is
// told by the engine's workers and never holds them up. What it has forgotten,
// and what a process before this one knew, a follower reads from the store.
type Hub struct {
	session string

	mu     sync.Mutex
	ring   []installer.Event
	next   uint64 // number of the next event; those from next-len(ring) are kept
	wake   chan struct{}
	closed bool
}

// keptEvents is how many a Hub has; some hundred bytes each.
const keptEvents = 16 << 10

// NewHub returns a Hub for one engine.
func NewHub() *Hub {
	return &Hub{session: strings.ToLower(rand.Text()[:10]), wake: make(chan struct{})}
}

// Watch takes an event; it is an engine's Watch.
func (h *Hub) Watch(e installer.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ring) < keptEvents {
		h.ring = append(h.ring, e)
	} else {
		h.ring[h.next%keptEvents] = e
	}
	h.next++
	if !h.closed {
		close(h.wake)
		h.wake = make(chan struct{})
	}
}

// Nudge makes those who wait look at the store again: something has changed
// there that was no event.
func (h *Hub) Nudge() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		close(h.wake)
		h.wake = make(chan struct{})
	}
}

// Close lets go of everybody who waits, at the end of the process.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		close(h.wake)
	}
}

// Progress is the answer of GET events.
type Progress struct {
	// Cursor is what `after` is to be next.
	Cursor string `json:"cursor"`
	// Missed: there were events after the cursor asked for that are no longer
	// kept. The store has what came of them.
	Missed bool `json:"missed"`
	// Open counts the batch's invocations that have not ended.
	Open   int               `json:"open"`
	Events []installer.Event `json:"events"`
}

// since returns the batch's events after a cursor, and what is closed at the
// next one. An empty cursor is the oldest that is kept, "now" the newest.
func (h *Hub) since(project, batch, after string) (p Progress, more <-chan struct{}, closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	oldest := h.next - uint64(len(h.ring))
	from := oldest
	session, number, _ := strings.Cut(after, ".")
	switch n, err := strconv.ParseUint(number, 10, 64); {
	case after == "":
		p.Missed = oldest > 0
	case after == "now":
		from = h.next
	case session != h.session || err != nil || n > h.next || n < oldest:
		p.Missed = true
	default:
		from = n
	}
	for i := from; i < h.next; i++ {
		if e := &h.ring[i%keptEvents]; e.Batch == batch && e.Project == project {
			p.Events = append(p.Events, *e)
		}
	}
	p.Cursor = fmt.Sprintf("%s.%d", h.session, h.next)
	return p, h.wake, h.closed
}

// longestWait bounds how long GET events waits for one.
const longestWait = 25 * time.Second

// settle is how long it waits for more once there is one, so that a busy
// engine is not asked for every event.
const settle = 50 * time.Millisecond

// events answers with what has happened after a cursor, and waits for it if
// there is nothing yet: GET events?after=CURSOR&wait=SECONDS.
func (s service) events(r *api.Request) (any, error) {
	batch, err := pathID(r, "batch_id")
	if err != nil {
		return nil, err
	}
	seconds, err := numberOf(r, "wait", 0, 0, int64(longestWait/time.Second))
	if err != nil {
		return nil, err
	}
	after := r.URL.Query().Get("after")
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(seconds)*time.Second)
	defer cancel()
	for {
		head, err := s.Store.Batch(r.Context(), r.Principal.Project, batch)
		if err != nil {
			return nil, err
		}
		p, more, closed := s.Hub.since(r.Principal.Project, batch, after)
		p.Open = head.Open
		if p.Events == nil {
			p.Events = []installer.Event{}
		}
		if len(p.Events) > 0 || p.Missed || p.Open == 0 || closed || ctx.Err() != nil || after == "now" {
			return p, nil
		}
		select {
		case <-more:
			time.Sleep(settle)
		case <-ctx.Done():
		}
	}
}

// Limiter returns a Watch that keeps to the batches' MaxFailures: once so many
// have ended without success, those that wait are canceled. It asks the store
// alone, and so holds after a restart too.
func Limiter(store installer.Ledger, log *slog.Logger) func(installer.Event) {
	return func(e installer.Event) {
		t := e.End
		if t == nil || !t.State.Terminal() || t.State == installer.Succeeded || t.State == installer.Canceled {
			return
		}
		if err := keepToLimit(context.Background(), store, e.Project, e.Batch); err != nil {
			log.Error("batch not stopped at its limit of failures", "batch", e.Batch, "error", err)
		}
	}
}

func keepToLimit(ctx context.Context, store installer.Ledger, project, batch string) error {
	head, err := store.Batch(ctx, project, batch)
	if err != nil || !LimitReached(head) || head.Open == 0 {
		return err
	}
	_, err = cancelAll(ctx, store, installer.Filter{ProjectID: project, BatchID: batch, State: installer.Pending})
	return err
}

// LimitReached reports whether a batch has had as many failures as it may.
func LimitReached(head installer.BatchHead) bool {
	return head.MaxFailures > 0 && head.ByState[installer.Failed]+head.ByState[installer.Timeout] >= head.MaxFailures
}
