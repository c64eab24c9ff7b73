package control

import (
	"sync"
	"time"

	"tripod/installer"
)

// Hub keeps the newest events of the engine for those who follow it. It is
// told by the engine's workers and never holds them up. What it has forgotten,
// and what a process before this one knew, a follower reads from the store.
type Hub struct {
	mu     sync.Mutex
	ring   []installer.Event
	next   uint64        // number of the next event, the cursor; those from next-len(ring) are kept
	wake   chan struct{} // closed at the next event
	closed bool
}

// keptEvents is how many a Hub has; some hundred bytes each.
const keptEvents = 16 << 10

// NewHub returns a Hub for one engine. It counts from the time, so that the cursors of a
// process before this one are older than all of its own.
func NewHub() *Hub {
	began := uint64(time.Now().UnixMicro())
	return &Hub{next: began - began%keptEvents, wake: make(chan struct{})}
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
	h.nudge()
}

// Nudge makes those who wait look at the store again: something has changed
// there that was no event.
func (h *Hub) Nudge() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nudge()
}

func (h *Hub) nudge() {
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

// now is a cursor after the newest event.
func (h *Hub) now() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next
}

// since returns the batch's events after a cursor (0: all that are kept), and what
// is closed at the next one; closed already: there will be none.
func (h *Hub) since(project, batch string, after uint64) (p progress, more <-chan struct{}, closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if oldest := h.next - uint64(len(h.ring)); after < oldest || after > h.next {
		p.Missed = after != 0 || len(h.ring) == keptEvents
		after = oldest
	}
	for i := after; i < h.next; i++ {
		if e := &h.ring[i%keptEvents]; e.Batch == batch && e.Project == project {
			p.Events = append(p.Events, *e)
		}
	}
	p.Cursor = h.next
	return p, h.wake, h.closed
}
