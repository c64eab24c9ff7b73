package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sourcegraph/conc/pool"

	"tripod/installer"
)

// Config configures a Dispatcher. Queue and Worker are required.
type Config struct {
	Queue    Queue
	Worker   Worker
	Parallel int              // hosts that are worked on at once; 0: DefaultParallel
	Limits   installer.Limits // only Attempt and Run are used here, the rest is the Worker's
	Clock    func() time.Time // nil: time.Now
	// Watch, if not nil, gets every event, from many goroutines. It must not block.
	Watch  func(installer.Event)
	Logger *slog.Logger          // nil: nothing is logged
	Only   installer.ClaimFilter // these invocations; zero: all
	// MaxFailures: once so many invocations have ended without success, no new one is
	// claimed. 0: no limit.
	MaxFailures int
	// StopWhenIdle ends Run when nothing is left to do. Otherwise Run waits for work
	// until its context is done.
	StopWhenIdle bool
	// Over is asked before that ends it: what is left may wait for a host that another
	// Dispatcher of this process works on, which is to Wake this one then. Nil: there
	// is none.
	Over func(context.Context) (bool, error)
}

// Dispatcher runs ready invocations, Config.Parallel of them at a time. Who is free
// claims the next one, so a dead host costs one of them its connect limit and nobody
// else anything. Nothing polls: of the idle ones one sleeps until it is woken or the
// next invocation is due, and the others wait for that one.
type Dispatcher struct {
	Config
	wake  chan struct{} // one pending wake-up
	guard *guard

	mu       sync.Mutex
	running  map[string]*attempt // by invocation id
	claiming map[string]bool     // canceled since the present claim began; nil: there is none
	failures int
}

// New returns a Dispatcher that does nothing until Run.
func New(c Config) *Dispatcher {
	c.Parallel = cmp.Or(max(0, c.Parallel), installer.DefaultParallel)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.Limits = c.Limits.WithDefaults()
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Watch == nil {
		c.Watch = func(installer.Event) {}
	}
	if c.Over == nil {
		c.Over = func(context.Context) (bool, error) { return true, nil }
	}
	return &Dispatcher{Config: c, wake: make(chan struct{}, 1), guard: newGuard(c.Clock), running: map[string]*attempt{}}
}

// Wake tells the Dispatcher that the queue has changed. It never blocks.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Cancel stops the invocation if it is worked on, and reports whether it is. One that
// is being claimed is stopped too.
func (d *Dispatcher) Cancel(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.running[id]
	switch {
	case ok:
		a.cancel(installer.ErrCanceled)
	case d.claiming != nil:
		d.claiming[id] = true
	}
	return ok
}

// LimitReached reports whether MaxFailures stopped the work.
func (d *Dispatcher) LimitReached() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.MaxFailures > 0 && d.failures >= d.MaxFailures
}

// Run takes orphans up again, then works until ctx is done or, with StopWhenIdle, until
// nothing is left. When ctx ends, the attempts are interrupted with ErrShutdown and
// waited for; that is no error. An error is the queue's: it could not be read.
func (d *Dispatcher) Run(ctx context.Context) error {
	if err := d.takeUpOrphans(ctx); err != nil {
		return err
	}
	// One claims at a time, so that n idle goroutines are one sleeper and not n.
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	stop, stopAll := context.WithCancel(ctx)
	defer stopAll()

	workers := pool.New().WithErrors().WithFirstError()
	for range d.Parallel {
		workers.Go(func() error {
			err := d.workUntil(ctx, stop, turn)
			if err != nil {
				stopAll() // the queue is unreadable: the others need not find out too
			}
			return err
		})
	}
	return workers.Wait()
}

// workUntil claims and works until stop is done or nothing is left.
func (d *Dispatcher) workUntil(ctx, stop context.Context, turn chan struct{}) error {
	for {
		select {
		case <-turn:
		case <-stop.Done():
			return nil
		}
		a, err := d.next(stop)
		turn <- struct{}{}
		if err != nil || a == nil {
			return err
		}
		for a != nil {
			a = d.finishAndClaim(ctx, stop, a, a.run(ctx), turn)
			d.Wake() // a host is free again, and its invocation may be due again
		}
	}
}

// finishAndClaim stores how an attempt has ended. If no other worker is about to claim, the next invocation
// is claimed in the same transaction, so that both wait for the disk once. Who watches may stop the batch
// because of a failure, so that is told before anything else is claimed.
func (d *Dispatcher) finishAndClaim(ctx, stop context.Context, a *attempt, t installer.Transition, turn chan struct{}) (next *attempt) {
	defer a.end()
	failed := t.State.Terminal() && t.State != installer.Succeeded
	if !failed && stop.Err() == nil && !d.LimitReached() {
		select {
		case <-turn:
			defer func() { turn <- struct{}{} }()
			next, _, err := d.begin(stop, func(now time.Time) (*installer.Invocation, time.Time, error) {
				return d.Queue.FinishAndClaim(context.WithoutCancel(ctx), a.inv.Ref(), t, now, d.Only)
			})
			if err == nil {
				a.finished(t)
				return next
			}
		default:
		}
	}
	a.finish(ctx, t)
	return nil
}

// next waits for the next invocation; nil when there is no more to do.
func (d *Dispatcher) next(stop context.Context) (*attempt, error) {
	for stop.Err() == nil && !d.LimitReached() {
		a, due, err := d.begin(stop, func(now time.Time) (*installer.Invocation, time.Time, error) { return d.Queue.Claim(stop, now, d.Only) })
		if err != nil && stop.Err() == nil {
			return nil, fmt.Errorf("claim the next invocation: %w", err)
		}
		if err == nil && a != nil {
			return a, nil
		}
		if d.StopWhenIdle && due.IsZero() && !d.busy() {
			over, err := d.Over(stop)
			if err != nil && stop.Err() == nil {
				return nil, fmt.Errorf("look whether all has ended: %w", err)
			}
			if over {
				d.Wake() // the next in turn finds the same
				return nil, nil
			}
		}
		d.sleep(stop, due)
	}
	return nil, nil
}

// begin begins the attempt that is claimed. A Cancel that came too late for the queue to
// tell of it is not lost.
func (d *Dispatcher) begin(
	ctx context.Context, claim func(now time.Time) (*installer.Invocation, time.Time, error),
) (*attempt, time.Time, error) {
	d.mu.Lock()
	d.claiming = map[string]bool{}
	d.mu.Unlock()
	inv, due, err := claim(d.Clock())
	d.mu.Lock()
	defer d.mu.Unlock()
	canceled := d.claiming
	d.claiming = nil
	if err != nil || inv == nil {
		return nil, due, err
	}
	a := &attempt{Dispatcher: d, inv: inv}
	// Not a child of ctx: shutdown is passed on with a cause of its own.
	a.ctx, a.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if canceled[inv.ID] || inv.CancelAsked {
		a.cancel(installer.ErrCanceled)
	}
	d.running[inv.ID] = a
	return a, due, nil
}

// sleep waits for a wake-up, or until due if that is not zero.
func (d *Dispatcher) sleep(stop context.Context, due time.Time) {
	var alarm <-chan time.Time
	if !due.IsZero() {
		alarm = time.After(due.Sub(d.Clock()))
	}
	select {
	case <-stop.Done():
	case <-d.wake:
	case <-alarm:
	}
}

func (d *Dispatcher) busy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.running) > 0
}

// takeUpOrphans puts what was RUNNING when the process died back into the queue, or
// sets it aside.
func (d *Dispatcher) takeUpOrphans(ctx context.Context) error {
	orphans, err := d.Queue.Orphans(ctx)
	if err != nil {
		return fmt.Errorf("look for interrupted invocations: %w", err)
	}
	for i := range orphans {
		inv := &orphans[i]
		t := Next(inv, End{Crashed: true}, d.Clock())
		err := d.Queue.Finish(ctx, inv.Ref(), t)
		if errors.Is(err, installer.ErrStale) {
			continue // another Dispatcher of this process has taken it up
		}
		if err != nil {
			return fmt.Errorf("take up interrupted invocation %s: %w", inv.ID, err)
		}
		d.Logger.Info("took up an interrupted invocation", "invocation", inv.ID, "host", inv.Host.Label(), "state", t.State)
	}
	return nil
}
