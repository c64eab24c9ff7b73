package control

import (
	"context"
	"errors"
	"sync"

	"tripod/installer"
	"tripod/installer/engine"
)

// OnDemandConfig is what NewOnDemand needs. Store and Dispatcher are required.
type OnDemandConfig struct {
	Store installer.Ledger
	// Dispatcher makes one; the caller fills in what works on hosts.
	Dispatcher func(engine.Config) *engine.Dispatcher
	// Watch is told every event.
	Watch func(installer.Event)
	// MostParallel bounds how many hosts are worked on at once, by all
	// Dispatchers together; each has at least one. 0: no bound.
	MostParallel int
}

// OnDemand works on the batches that somebody follows, for as long as he does: the
// engine of a process that has a state folder for one command and is no daemon. All
// who follow the same batch share one Dispatcher.
type OnDemand struct {
	OnDemandConfig

	mu     sync.Mutex
	runs   map[followed]*run
	used   int // workers
	closed bool
}

// followed is a batch, or one invocation of it.
type followed struct {
	project string
	installer.ClaimFilter
}

// run is one Dispatcher at work.
type run struct {
	*engine.Dispatcher
	followers map[string]chan struct{} // by their names; closed for one that leaves
	stopping  bool
	stop      context.CancelCauseFunc
	done      chan struct{}
	err       error // when done
}

// errEnds: the process is about to leave the folder.
var errEnds = errors.New("this process is about to leave the state folder")

// NewOnDemand returns one that works on nothing yet.
func NewOnDemand(c OnDemandConfig) *OnDemand {
	if c.Watch == nil {
		c.Watch = func(installer.Event) {}
	}
	return &OnDemand{OnDemandConfig: c, runs: map[followed]*run{}}
}

// follow works on what is followed until that has ended, the follower leaves or ctx
// is done, or its limit of failures is reached.
func (o *OnDemand) follow(ctx context.Context, what followed, w wireWork) (worked, error) {
	r, left, err := o.join(ctx, what, w)
	if err != nil {
		return worked{}, err
	}
	select {
	case <-r.done:
	case <-left:
		return worked{Left: true}, nil
	case <-ctx.Done():
		o.leave(what, w.Follower)
		return worked{Left: true}, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return worked{LimitReached: r.LimitReached(), Stopped: r.stopping}, r.err
}

// join takes part in the run over what is followed, or begins one.
func (o *OnDemand) join(ctx context.Context, what followed, w wireWork) (*run, <-chan struct{}, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.runs[what]
	for ; r != nil && r.stopping; r = o.runs[what] {
		o.mu.Unlock()
		<-r.done
		o.mu.Lock()
	}
	if o.closed {
		return nil, nil, errEnds
	}
	if r == nil {
		r = o.begin(ctx, what, w)
	} else if err := r.fits(w); err != nil {
		return nil, nil, err
	}
	left := make(chan struct{})
	r.followers[w.Follower] = left
	return r, left, nil
}

// fits refuses what cannot be changed any more while the work goes on.
func (r *run) fits(w wireWork) error {
	var faults installer.Faults
	if w.Parallel != 0 && w.Parallel != r.Parallel {
		faults.Add("--parallel", "another command works on this batch, %d hosts at once: leave it out", r.Parallel)
	}
	if w.MaxFailures != 0 && w.MaxFailures != r.MaxFailures {
		faults.Add("--max-failures", "another command works on this batch, with another limit or none: leave it out")
	}
	return faults.Err()
}

// begin starts a run. It acts for who asked first.
func (o *OnDemand) begin(ctx context.Context, what followed, w wireWork) *run {
	ctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	c := engine.Config{
		Only: what.ClaimFilter, Parallel: w.Parallel, MaxFailures: w.MaxFailures,
		StopWhenIdle: true, Over: func(ctx context.Context) (bool, error) { return o.over(ctx, what) }, Watch: o.watch,
	}
	if what.InvocationID != "" {
		c.Parallel = 1
	} else if c.Parallel == 0 {
		c.Parallel = installer.DefaultParallel
	}
	if o.MostParallel > 0 {
		c.Parallel = max(1, min(c.Parallel, o.MostParallel-o.used))
	}
	r := &run{Dispatcher: o.Dispatcher(c), followers: map[string]chan struct{}{}, stop: stop, done: make(chan struct{})}
	o.runs[what] = r
	o.used += c.Parallel
	go func() {
		err := r.Run(ctx)
		stop(nil)
		o.mu.Lock()
		defer o.mu.Unlock()
		r.err = err
		o.used -= c.Parallel
		delete(o.runs, what)
		close(r.done)
	}()
	return r
}

// watch: the host of what has ended may be another Dispatcher's turn.
func (o *OnDemand) watch(e installer.Event) {
	o.Watch(e)
	if e.End != nil {
		o.Wake()
	}
}

func (o *OnDemand) over(ctx context.Context, what followed) (bool, error) {
	if what.InvocationID != "" {
		inv, err := o.Store.Invocation(ctx, what.project, what.InvocationID)
		return inv.State.Terminal(), err
	}
	head, err := o.Store.Batch(ctx, what.project, what.BatchID)
	return head.Open == 0, err
}

// leave ends what one follower has. When the last one leaves, the work is
// interrupted; it has come to rest when leave returns. It reports whether others go
// on with it.
func (o *OnDemand) leave(what followed, follower string) (goesOn bool) {
	o.mu.Lock()
	r := o.runs[what]
	if r == nil {
		o.mu.Unlock()
		return false
	}
	if left, is := r.followers[follower]; is {
		delete(r.followers, follower)
		close(left)
		r.interruptIf(len(r.followers) == 0)
	}
	stopping := r.stopping
	o.mu.Unlock()
	if stopping {
		<-r.done
	}
	return !stopping
}

func (r *run) interruptIf(alone bool) {
	if alone && !r.stopping {
		r.stopping = true
		r.stop(installer.ErrShutdown)
	}
}

// Wake tells every Dispatcher that the queue has changed.
func (o *OnDemand) Wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.runs {
		r.Wake()
	}
}

// Cancel stops the invocation if a worker is on it.
func (o *OnDemand) Cancel(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := false
	for _, r := range o.runs {
		at = r.Dispatcher.Cancel(id) || at
	}
	return at
}

// Close interrupts all work, tells those who follow it, and waits.
func (o *OnDemand) Close() {
	o.mu.Lock()
	o.closed = true
	var all []*run
	for _, r := range o.runs {
		r.interruptIf(true)
		all = append(all, r)
	}
	o.mu.Unlock()
	for _, r := range all {
		<-r.done
	}
}

// Followers counts them.
func (o *OnDemand) Followers() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, r := range o.runs {
		n += len(r.followers)
	}
	return n
}
