package control

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"tripod/installer"
	"tripod/installer/api"
)

// Follower shows the work of a daemon on one batch as if it were done here.
type Follower struct {
	// Head is where the batch stood when it began.
	Head installer.BatchHead

	c      *Client
	only   string // one invocation; empty: all
	cursor string
	watch  func(installer.Event)
	// lost is told when the daemon cannot be reached, and with nil when it is again.
	lost func(error)

	started map[string]bool // told, and not ended
	ended   map[string]bool
}

// Follow begins to follow a batch, or one invocation of it.
func (c *Client) Follow(ctx context.Context, project, batchID, only string, lost func(error)) (*Follower, error) {
	f := &Follower{c: c, only: only, lost: lost, watch: func(installer.Event) {}, started: map[string]bool{}, ended: map[string]bool{}}
	var err error
	if f.Head, err = c.Batch(ctx, project, batchID); err != nil {
		return nil, err
	}
	c.mu.Lock()
	fresh := c.fresh[batchID]
	c.mu.Unlock()
	if fresh { // all of its events are wanted
		f.Head.Open = f.Head.Total
		f.Head.ByState = map[installer.State]int{installer.Pending: f.Head.Total}
		return f, nil
	}
	p, err := f.poll(ctx, "now", 0)
	if err != nil {
		return nil, err
	}
	f.cursor = p.Cursor
	page, err := c.Invocations(ctx, installer.Filter{ProjectID: project, BatchID: batchID})
	if err != nil {
		return nil, err
	}
	f.Head.Open, f.Head.ByState = 0, map[installer.State]int{}
	for i := range page.Invocations {
		inv := &page.Invocations[i]
		f.Head.ByState[inv.State]++
		f.ended[inv.ID] = inv.State.Terminal()
		if !inv.State.Terminal() {
			f.Head.Open++
		}
	}
	return f, nil
}

// Run tells watch what happens until the batch, or its one invocation, has
// ended, or ctx has. A daemon that cannot be reached is asked again until then,
// as long as the client's patience lasts: then it is Unanswered.
func (f *Follower) Run(ctx context.Context, watch func(installer.Event)) error {
	f.watch = watch
	if f.cursor != "" {
		if err := f.untilAnswered(ctx, func() error { return f.catchUp(ctx) }); err != nil {
			return err
		}
	}
	for ctx.Err() == nil && !f.over() {
		var p Progress
		err := f.untilAnswered(ctx, func() (err error) {
			p, err = f.poll(ctx, f.cursor, longestWait)
			return err
		})
		if err != nil {
			return err
		}
		if p.Missed || p.Open == 0 || f.only != "" {
			if err := f.untilAnswered(ctx, func() error { return f.catchUpAfter(ctx, p.Events) }); err != nil {
				return err
			}
		} else {
			f.tell(p.Events)
		}
		f.cursor = p.Cursor
	}
	return nil
}

// over: everything that is followed has ended, and that was told.
func (f *Follower) over() bool {
	if f.only != "" {
		return f.ended[f.only]
	}
	n := 0
	for _, ended := range f.ended {
		if ended {
			n++
		}
	}
	return n >= f.Head.Total
}

func (f *Follower) poll(ctx context.Context, after string, wait time.Duration) (p Progress, err error) {
	q := url.Values{"after": {after}, "wait": {numberText(int64(wait / time.Second))}}
	limited, cancel := context.WithTimeout(ctx, wait+30*time.Second)
	defer cancel()
	err = f.c.api.Do(limited, api.Ask{
		Method: http.MethodGet, Path: f.c.path("batches", f.Head.ID, "events") + "?" + q.Encode(), Most: 64 << 20,
	}, &p)
	return p, plainError(err, "batch", f.Head.ID)
}

// longestPause between two tries to reach the daemon.
const longestPause = 5 * time.Second

// untilAnswered does what asks the daemon until it is answered, the client has
// waited long enough, or ctx ends (nil then: the caller looks).
func (f *Follower) untilAnswered(ctx context.Context, do func() error) error {
	var since time.Time // when it was first not answered
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, longestPause) {
		err := do()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			if wait > 200*time.Millisecond {
				f.lost(nil)
			}
			return nil
		case !Lost(err):
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		if time.Since(since)+wait > f.c.patience {
			return givenUp(err)
		}
		if wait == 200*time.Millisecond {
			f.lost(err)
		}
		if pause(ctx, max(wait, retryAfter(err))) != nil {
			return nil
		}
	}
}

// tell passes on events, each once.
func (f *Follower) tell(events []installer.Event) {
	for _, e := range events {
		id := e.InvocationID
		begins := e.End == nil && e.Step == ""
		if f.ended[id] || f.only != "" && id != f.only || begins && f.started[id] {
			continue
		}
		switch {
		case begins:
			f.started[id] = true
		case e.End != nil:
			delete(f.started, id)
			f.ended[id] = e.End.State.Terminal()
		}
		f.watch(e)
	}
}

// catchUpAfter tells events, and then what the store has beyond them.
func (f *Follower) catchUpAfter(ctx context.Context, events []installer.Event) error {
	f.tell(events)
	return f.catchUp(ctx)
}

// catchUp reads how everything stands, and tells what was not told: events that
// the daemon has forgotten, or that it had not yet passed on.
func (f *Follower) catchUp(ctx context.Context) error {
	page, err := f.c.Invocations(ctx, installer.Filter{ProjectID: f.Head.ProjectID, BatchID: f.Head.ID, InvocationID: f.only})
	if err != nil {
		return err
	}
	for i := len(page.Invocations) - 1; i >= 0; i-- {
		inv := &page.Invocations[i]
		if inv.State == installer.Running || inv.State.Terminal() && len(inv.Attempts) > 0 {
			f.tell([]installer.Event{beginOf(inv)})
		}
		if inv.State.Terminal() {
			f.tell([]installer.Event{endOf(inv)})
		}
	}
	return nil
}

func beginOf(inv *installer.Invocation) installer.Event {
	at := inv.Updated
	if n := len(inv.Attempts); n > 0 {
		at = inv.Attempts[n-1].Started
	}
	return installer.EventOf(inv, at)
}

func endOf(inv *installer.Invocation) installer.Event {
	e := installer.EventOf(inv, inv.Updated)
	e.End = &installer.AttemptEnd{State: inv.State, EndAttempt: true, Kind: inv.Kind, Message: inv.Message, Skipped: inv.Skipped}
	return e
}
