package control

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"time"

	"tripod/installer"
)

// Follower shows the work of another process on one batch as if it were done here.
type Follower struct {
	// Head is where the batch stood when it began.
	Head installer.BatchHead

	c      *Client
	only   string // one invocation; empty: all
	cursor uint64
	behind bool // the store has what was not told
	watch  func(installer.Event)
	// lost is called when the daemon cannot be reached, and with nil when it is again.
	lost func(error)

	started map[string]bool // told, and not ended
	ended   map[string]bool
}

// Work is how a batch is to be worked on by a process that is no daemon.
type Work struct {
	Parallel    int // 0: the usual, or as another command has it
	MaxFailures int // 0: no limit, or as another command has it
}

// Worked is how the work ended for who followed it.
type Worked struct {
	LimitReached bool
	// Daemon: it is a daemon's work. Shared: another command follows it too. Either
	// way it goes on without us.
	Daemon, Shared bool
}

func (c *Client) Follow(ctx context.Context, batchID, only string, lost func(error)) (*Follower, error) {
	now, err := GetBatch.Call(ctx, c, ID{batchID})
	if err != nil {
		return nil, err
	}
	f := &Follower{Head: now.BatchHead, c: c, only: only, lost: lost, started: map[string]bool{}, ended: map[string]bool{}}
	if _, all := c.submitted.Load(batchID); all { // its events are wanted from the first one
		f.Head.Open = f.Head.Total
		f.Head.ByState = map[installer.State]int{installer.Pending: f.Head.Total}
		return f, nil
	}
	f.cursor, f.behind = now.Cursor, true
	invs, err := c.Invocations(ctx, batchID, "")
	f.Head.Open, f.Head.ByState = 0, map[installer.State]int{}
	for _, inv := range invs {
		f.Head.ByState[inv.State]++
		f.ended[inv.ID] = inv.State.Terminal()
		if !inv.State.Terminal() {
			f.Head.Open++
		}
	}
	return f, err
}

// leaveLimit is how long work is waited for that is interrupted.
const leaveLimit = time.Minute

// Work has the batch worked on where no daemon does so by itself, and tells watch what
// happens until all of it has ended, its limit of failures is reached, or ctx is done.
// When ctx is done, what nobody else follows has come to rest before Work returns. A
// process that cannot be reached is asked again, or the one that has taken its folder,
// as long as the client's patience lasts: then it is Unanswered.
func (f *Follower) Work(ctx context.Context, o Work, watch func(installer.Event)) (how Worked, err error) {
	f.watch = watch
	in := followRequest{OfBatch: OfBatch{f.Head.ID, f.only}, Follower: rand.Text(), Parallel: uint32(o.Parallel), MaxFailures: uint32(o.MaxFailures)}
	if f.only != "" {
		in.Parallel = 0
	}
	streaming, stop := context.WithCancel(context.WithoutCancel(ctx))
	left := make(chan struct{})
	follows := context.AfterFunc(ctx, func() {
		defer close(left)
		limited, cancel := context.WithTimeout(streaming, leaveLimit)
		defer cancel()
		if !f.c.Daemon() {
			if _, err := leaveBatch.Call(limited, f.c, in); err == nil {
				return
			}
		}
		stop()
	})
	defer func() {
		if stop(); !follows() {
			<-left
		}
	}()
	var end *ending
	for over := false; !over && err == nil && ctx.Err() == nil; {
		err = f.c.untilAnswered(ctx, 0, f.lost, func(answered func()) (err error) {
			in.After = f.cursor
			end, over, err = f.stream(streaming, in, answered)
			return err
		})
	}
	how.Daemon = f.c.Daemon()
	if end != nil {
		how.LimitReached, how.Shared = end.LimitReached, end.GoesOn
	}
	if ctx.Err() != nil {
		return how, nil
	}
	if _, lost := mayRecover(err); lost {
		err = &Unanswered{err}
	}
	return how, err
}

// stream tells what one answer says, and whether all of it is over. answered is called
// when there is one.
func (f *Follower) stream(ctx context.Context, in followRequest, answered func()) (end *ending, over bool, err error) {
	if f.c.Daemon() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, longestStream+30*time.Second)
		defer cancel()
	}
	if err := f.catchUp(ctx); err != nil {
		return nil, false, err
	}
	body, err := followBatch.open(ctx, f.c, in)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = body.Close() }()
	answered()
	for documents, p := json.NewDecoder(body), (progress{}); ; {
		daemon := p.Daemon
		p = progress{}
		switch err := documents.Decode(&p); {
		case err == io.EOF && daemon:
			return nil, false, nil
		case err == io.EOF:
			return nil, false, errEnds
		case err != nil:
			return nil, false, asUnanswered(err) // cut off within a document
		}
		f.c.daemon.Store(p.Daemon)
		f.tell(p.Events)
		f.cursor, f.behind = p.Cursor, f.behind || p.Missed || p.Open == 0
		if err := f.catchUp(ctx); err != nil {
			return nil, false, err
		}
		if p.End != nil || p.Open == 0 {
			return p.End, true, nil
		}
	}
}

func (f *Follower) tell(events []installer.Event) {
	for _, e := range events {
		one := e.InvocationID
		begins := e.End == nil && e.Step == ""
		if f.ended[one] || f.only != "" && one != f.only || begins && f.started[one] {
			continue
		}
		switch {
		case begins:
			f.started[one] = true
		case e.End != nil:
			delete(f.started, one)
			f.ended[one] = e.End.State.Terminal()
		}
		f.watch(e)
	}
}

// catchUp reads how everything stands, and tells what was not told: events that
// the daemon has forgotten, or that it had not yet passed on.
func (f *Follower) catchUp(ctx context.Context) error {
	if !f.behind {
		return nil
	}
	invs, err := f.c.Invocations(ctx, f.Head.ID, f.only)
	if err != nil {
		return err
	}
	for _, inv := range invs {
		if inv.State == installer.Running || inv.State.Terminal() && len(inv.Attempts) > 0 {
			began := inv.Updated
			if n := len(inv.Attempts); n > 0 {
				began = inv.Attempts[n-1].Started
			}
			f.tell([]installer.Event{installer.EventOf(&inv, began)})
		}
		if inv.State.Terminal() {
			e := installer.EventOf(&inv, inv.Updated)
			e.End = &installer.AttemptEnd{State: inv.State, EndAttempt: true, Kind: inv.Kind, Message: inv.Message, Skipped: inv.Skipped}
			f.tell([]installer.Event{e})
		}
	}
	f.behind = false
	return nil
}
