package control

import (
	"context"
	"sync"

	"tripod/installer"
	"tripod/installer/engine"
)

// OnDemandConfig is what NewOnDemand needs.
type OnDemandConfig struct {
	Store installer.Ledger
	// Dispatcher makes one; the caller fills in what works on hosts.
	Dispatcher func(engine.Config) *engine.Dispatcher
	// Watch gets every event.
	Watch func(installer.Event)
	// MostParallel bounds how many hosts are worked on at once, by all
	// Dispatchers together; each has at least one. 0: no bound.
	MostParallel int
}

// OnDemand works on the batches that are followed, for as long as they are: the
// engine of a process that has a state folder for one command and is no daemon. All
// who follow the same batch share one Dispatcher.
type OnDemand struct {
	OnDemandConfig

	mu     sync.Mutex
	runs   map[followed]*run
	failed map[string]error // by followers, for their next question
	used   int              // workers
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
	leases   map[string]*lease // by the followers' names
	stopping bool
	stop     context.CancelCauseFunc
	done     chan struct{}
}

// lease is what one follower has of a run.
type lease struct {
	run  *run
	name string
	over chan struct{} // closed when the work has ended for the follower, or it has left
	end  *ending       // then; nil: another process will go on with the work
}

func (l *lease) finish(end *ending) {
	l.end = end
	close(l.over)
}

func NewOnDemand(c OnDemandConfig) *OnDemand {
	return &OnDemand{OnDemandConfig: c, runs: map[followed]*run{}, failed: map[string]error{}}
}

// join takes part in the run over what is followed, or begins one.
func (o *OnDemand) join(ctx context.Context, what followed, in followRequest) (*lease, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.runs[what]
	for ; r != nil && r.stopping; r = o.runs[what] {
		o.mu.Unlock()
		<-r.done
		o.mu.Lock()
	}
	if o.closed {
		return nil, errEnds
	}
	if err := o.failed[in.Follower]; err != nil {
		delete(o.failed, in.Follower)
		return nil, err
	}
	if r == nil {
		r = o.begin(ctx, what, in)
	} else if err := r.fits(in); err != nil {
		return nil, err
	}
	l := &lease{run: r, name: in.Follower, over: make(chan struct{})}
	r.leases[l.name] = l
	return l, nil
}

// fits refuses what cannot be changed any more while the work goes on.
func (r *run) fits(in followRequest) error {
	var faults installer.Faults
	if in.Parallel != 0 && int(in.Parallel) != r.Parallel {
		faults.Add("--parallel", "another command works on this batch, %d hosts at once: leave it out", r.Parallel)
	}
	if in.MaxFailures != 0 && int(in.MaxFailures) != r.MaxFailures {
		faults.Add("--max-failures", "another command works on this batch, with another limit or none: leave it out")
	}
	return faults.Err()
}

// begin starts a run. It acts for who asked first.
func (o *OnDemand) begin(ctx context.Context, what followed, in followRequest) *run {
	ctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	c := engine.Config{
		Only: what.ClaimFilter, Parallel: int(in.Parallel), MaxFailures: int(in.MaxFailures), StopWhenIdle: true,
		Over: func(ctx context.Context) (bool, error) {
			open, err := openOf(ctx, o.Store, what)
			return open == 0, err
		},
		Watch: func(e installer.Event) {
			o.Watch(e)
			if e.End != nil { // the host may be another Dispatcher's turn
				o.Wake()
			}
		},
	}
	if what.InvocationID != "" {
		c.Parallel = 1
	} else if c.Parallel == 0 {
		c.Parallel = installer.DefaultParallel
	}
	if o.MostParallel > 0 {
		c.Parallel = max(1, min(c.Parallel, o.MostParallel-o.used))
	}
	r := &run{Dispatcher: o.Dispatcher(c), leases: map[string]*lease{}, stop: stop, done: make(chan struct{})}
	o.runs[what] = r
	o.used += c.Parallel
	go func() {
		err := r.Run(ctx)
		stop(nil)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.used -= c.Parallel
		delete(o.runs, what)
		for name, l := range r.leases {
			switch {
			case err != nil:
				o.failed[name] = err
				l.finish(nil)
			case r.stopping:
				l.finish(nil)
			default:
				l.finish(&ending{LimitReached: r.LimitReached()})
			}
		}
		close(r.done)
	}()
	return r
}

// worksOn reports whether somebody follows the batch, or an invocation of it.
func (o *OnDemand) worksOn(project, batchID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for what, r := range o.runs {
		if what.project == project && what.BatchID == batchID && !r.stopping {
			return true
		}
	}
	return false
}

// leave ends one follower's lease. When the last one leaves, the work is interrupted; it
// has come to rest when leave returns.
func (o *OnDemand) leave(what followed, name string) error {
	o.mu.Lock()
	r := o.runs[what]
	if r == nil || r.leases[name] == nil {
		o.mu.Unlock()
		return installer.ErrNotFound
	}
	l := r.leases[name]
	r.drop(l)
	stopping := r.stopping
	o.mu.Unlock()
	if stopping {
		<-r.done
	}
	l.finish(&ending{GoesOn: !stopping})
	return nil
}

// drop ends the lease of a follower that has disconnected, or has got everything.
func (o *OnDemand) drop(l *lease) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.run.leases[l.name] == l {
		l.run.drop(l)
	}
}

func (r *run) drop(l *lease) {
	delete(r.leases, l.name)
	if len(r.leases) == 0 {
		r.interrupt()
	}
}

func (r *run) interrupt() {
	r.stopping = true
	r.stop(installer.ErrShutdown)
}

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
	found := false
	for _, r := range o.runs {
		found = r.Dispatcher.Cancel(id) || found
	}
	return found
}

// Close interrupts all work, tells those who follow it, and waits.
func (o *OnDemand) Close() {
	o.mu.Lock()
	o.closed = true
	var all []*run
	for _, r := range o.runs {
		r.interrupt()
		all = append(all, r)
	}
	o.mu.Unlock()
	for _, r := range all {
		<-r.done
	}
}
