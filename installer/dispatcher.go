package installer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sourcegraph/conc/pool"
)

// DefaultParallel is how many hosts are worked on at once if nothing is said.
const DefaultParallel = 32

// DispatcherConfig configures a Dispatcher. Queue and Installer are required.
type DispatcherConfig struct {
	Queue     Queue
	Installer Installer
	// Parallel is the number of workers; 0: DefaultParallel.
	Parallel int
	// Limits; only Attempt and Run are used here, the rest is the Installer's.
	Limits Limits
	// Clock tells the wall time; nil: time.Now.
	Clock func() time.Time
	// Watch, if not nil, is told every event, from many goroutines. It must
	// not block.
	Watch func(Event)
	// Logger; nil: nothing is logged.
	Logger *slog.Logger
	// BatchID: only this batch's invocations. Empty: all.
	BatchID string
	// InvocationID: only this invocation. Empty: all.
	InvocationID string
	// MaxFailures: once so many invocations have ended without success, no new
	// one is claimed. 0: no limit.
	MaxFailures int
	// StopWhenIdle ends Run when nothing is left to do. Otherwise Run waits
	// for work until its context is done.
	StopWhenIdle bool
	// Over is asked before that ends it: what is left may wait for a host that
	// another Dispatcher of this process works on, which is to Wake this one then.
	// Nil: there is none.
	Over func(context.Context) (bool, error)
}

// Dispatcher runs ready invocations through a bounded pool of workers. A free
// worker claims the next one, so a dead host costs one worker its connect
// limit and nobody else anything. Nothing polls: of the idle workers one
// sleeps until it is woken or the next invocation is due, and the others wait
// for that one.
type Dispatcher struct {
	DispatcherConfig
	wake chan struct{} // one pending wake-up

	mu       sync.Mutex
	running  map[string]*hold // by invocation id
	claiming map[string]bool  // canceled since the claim that goes on began; nil: none does
	failures int
}

// hold is one invocation in a worker's hands.
type hold struct {
	cancel   context.CancelCauseFunc // nil: the worker has not begun
	canceled bool
}

// NewDispatcher returns a Dispatcher that does nothing until Run.
func NewDispatcher(c DispatcherConfig) *Dispatcher {
	if c.Parallel <= 0 {
		c.Parallel = DefaultParallel
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Watch == nil {
		c.Watch = func(Event) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Over == nil {
		c.Over = func(context.Context) (bool, error) { return true, nil }
	}
	c.Limits = c.Limits.WithDefaults()
	return &Dispatcher{
		DispatcherConfig: c,
		wake:             make(chan struct{}, 1),
		running:          map[string]*hold{},
	}
}

// Wake tells the Dispatcher that the queue has changed. It never blocks.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Cancel stops the invocation if a worker is on it, and reports whether one is. One
// that is being claimed is stopped too.
func (d *Dispatcher) Cancel(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	h, ok := d.running[id]
	switch {
	case !ok && d.claiming != nil:
		d.claiming[id] = true
	case ok:
		if h.canceled = true; h.cancel != nil {
			h.cancel(ErrCanceled)
		}
	}
	return ok
}

// LimitReached reports whether MaxFailures stopped the work.
func (d *Dispatcher) LimitReached() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.MaxFailures > 0 && d.failures >= d.MaxFailures
}

// Run takes orphans up again, then works until ctx is done or, with
// StopWhenIdle, until nothing is left. When ctx ends, the workers are
// interrupted with ErrShutdown and waited for; that is no error. An error is
// the queue's: it could not be read.
func (d *Dispatcher) Run(ctx context.Context) error {
	if err := d.takeUpOrphans(ctx); err != nil {
		return err
	}
	// Claiming is one worker's turn at a time, so that n idle workers are one
	// sleeper and not n.
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	stop, stopAll := context.WithCancel(ctx)
	defer stopAll()

	workers := pool.New().WithErrors().WithFirstError()
	for range d.Parallel {
		workers.Go(func() error {
			err := d.worker(ctx, stop, turn)
			if err != nil {
				stopAll() // the queue is unreadable: the others need not find out too
			}
			return err
		})
	}
	return workers.Wait()
}

// worker claims and works until stop is done or nothing is left.
func (d *Dispatcher) worker(ctx, stop context.Context, turn chan struct{}) error {
	for {
		select {
		case <-turn:
		case <-stop.Done():
			return nil
		}
		inv, err := d.next(stop)
		turn <- struct{}{}
		if err != nil || inv == nil {
			return err
		}
		d.attempt(ctx, inv)
		d.Wake() // its host is free again, and it may be due again
	}
}

// next waits for the next invocation; nil when there is no more to do.
func (d *Dispatcher) next(stop context.Context) (*Invocation, error) {
	for stop.Err() == nil && !d.LimitReached() {
		inv, due, err := d.claim(stop)
		if err != nil {
			if stop.Err() != nil {
				return nil, nil
			}
			return nil, fmt.Errorf("claim the next invocation: %w", err)
		}
		if inv != nil {
			return inv, nil
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

// claim takes the next invocation into a worker's hands. A Cancel that came too late
// for the queue to tell of it is not lost.
func (d *Dispatcher) claim(ctx context.Context) (*Invocation, time.Time, error) {
	d.mu.Lock()
	d.claiming = map[string]bool{}
	d.mu.Unlock()
	inv, due, err := d.Queue.Claim(ctx, d.Clock(), ClaimFilter{BatchID: d.BatchID, InvocationID: d.InvocationID})
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && inv != nil {
		d.running[inv.ID] = &hold{canceled: d.claiming[inv.ID]}
	}
	d.claiming = nil
	return inv, due, err
}

// sleep waits for a wake-up, or until due if that is not zero.
func (d *Dispatcher) sleep(stop context.Context, due time.Time) {
	var alarm <-chan time.Time
	if !due.IsZero() {
		timer := time.NewTimer(due.Sub(d.Clock()))
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-stop.Done():
	case <-d.wake:
	case <-alarm:
	}
}

// begin lets Cancel reach the work on what was claimed.
func (d *Dispatcher) begin(id string, cancel context.CancelCauseFunc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.running[id]
	if h.cancel = cancel; h.canceled {
		cancel(ErrCanceled)
	}
}

func (d *Dispatcher) busy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.running) > 0
}

// takeUpOrphans puts what was RUNNING when the process died back into the
// queue, or sets it aside.
func (d *Dispatcher) takeUpOrphans(ctx context.Context) error {
	orphans, err := d.Queue.Orphans(ctx)
	if err != nil {
		return fmt.Errorf("look for interrupted invocations: %w", err)
	}
	for i := range orphans {
		inv := &orphans[i]
		t := Next(inv, End{Crashed: true}, d.Clock())
		err := d.Queue.Finish(ctx, inv.Ref(), t)
		if errors.Is(err, ErrStale) {
			continue // another Dispatcher of this process has taken it up
		}
		if err != nil {
			return fmt.Errorf("take up interrupted invocation %s: %w", inv.ID, err)
		}
		d.Logger.Info("took up an interrupted invocation", "invocation", inv.ID, "host", inv.Host.Label(), "state", t.State)
	}
	return nil
}
