package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"tripod/installer"
	"tripod/installer/control"
)

// engine is what a command works with that gets something done on hosts.
type engine struct {
	app    *app
	client *control.Client
	work   control.Work
}

// openEngine opens it for as many hosts at once as are wanted. What whoever does the
// work cannot take over is refused, or said. Close it.
func (f *runFlags) openEngine(ctx context.Context, a *app, knownHosts []string) (*engine, error) {
	workers, err := a.parallel(f.Parallel)
	if err != nil {
		return nil, err
	}
	client, err := a.client(ctx, holderConfig{knownHosts: knownHosts})
	if err != nil {
		return nil, err
	}
	e := &engine{app: a, client: client}
	if f.Parallel != defaultParallel {
		e.work.Parallel = workers
	}
	if err := e.checkJoined(knownHosts); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return e, nil
}

// checkJoined refuses what another process does in its own way.
func (e *engine) checkJoined(knownHosts []string) error {
	usual := defaultKnownHosts()
	if knownHosts == nil { // no host key is decided about
		return nil
	}
	if !e.client.Daemon() {
		theirs := e.client.KnownHosts()
		if len(theirs) == 0 {
			theirs = usual
		}
		if !slices.Equal(knownHosts, theirs) {
			return usageError(errors.New("--known-hosts: another tripod process has the state folder, and reads other known_hosts"),
				"wait for it to end, use another --state-dir, or put the keys into the hosts file (host_key)")
		}
		return nil
	}
	if !slices.Equal(knownHosts, usual) {
		return usageError(errors.New("--known-hosts: a daemon reads its own known_hosts"), "give it to `tripod serve`, or put the keys into the hosts file (host_key)")
	}
	if e.work.Parallel != 0 {
		e.app.notef("note: how many hosts at once is the daemon's to decide (its --parallel)")
	}
	return nil
}

// closing runs fn, then closes the engine. A store that does not close well
// matters more than what fn says.
func (e *engine) closing(fn func() error) error { return closing(fn, e.client.Close) }

// closing is engine.closing.
func (e *localEngine) closing(fn func() error) error { return closing(fn, e.close) }

func closing(fn, shut func() error) error {
	err := fn()
	if closeErr := shut(); closeErr != nil {
		return errors.Join(&exitError{code: exitInternal, err: closeErr}, err)
	}
	return err
}

// shown runs work while the progress of a batch is printed.
func (a *app) shown(ctx context.Context, head installer.BatchHead, work func(watch func(installer.Event)) error) error {
	p := newProgress(a, head)
	shown, stop := context.WithCancel(context.WithoutCancel(ctx))
	var printer sync.WaitGroup
	printer.Go(func() { p.run(shown) })
	err := work(p.watch)
	stop()
	printer.Wait()
	return err
}

// ran is how a run over one batch ended.
type ran struct {
	control.Worked
	interrupted bool
}

// runBatch has one batch, or one invocation of it, worked on until nothing is left,
// the user interrupts it or too many hosts fail.
func (e *engine) runBatch(ctx context.Context, what installer.ClaimFilter, maxFailures int) (ran, error) {
	project := e.app.project
	e.app.handed.acknowledged = append(e.app.handed.acknowledged, what.BatchID)
	f, err := e.client.Follow(context.WithoutCancel(ctx), project, what.BatchID, what.InvocationID, e.lost)
	if err != nil {
		return ran{}, err
	}
	work := e.work
	work.MaxFailures = maxFailures
	var how ran
	err = e.app.shown(ctx, f.Head, func(watch func(installer.Event)) (err error) {
		how.Worked, err = f.Work(ctx, work, watch)
		return err
	})
	if how.interrupted = ctx.Err() != nil; how.interrupted {
		e.client.Patience(0) // whoever interrupts does not wait for a daemon
	}
	if err != nil || how.interrupted || !how.Daemon {
		return how, err
	}
	head, err := e.client.Batch(ctx, project, what.BatchID)
	how.LimitReached = control.LimitReached(head)
	return how, err
}

// lost says that the daemon cannot be asked, and that it can again. Of another
// process it is said who goes on with its work.
func (e *engine) lost(err error) {
	if !e.client.Daemon() {
		return
	}
	if err == nil {
		e.app.notef("the daemon answers again")
		return
	}
	if unanswered, ok := errors.AsType[*control.Unanswered](err); ok {
		err = unanswered.Err
	}
	e.app.notef("the daemon does not answer (%v); it goes on by itself, and is asked again", err)
}

// dropLimit is how long we wait for hosts to be let go of.
const dropLimit = 10 * time.Second

// drop waits for the end of what was canceled of a batch that only looks. Nothing is
// dialled for it.
func (e *engine) drop(ctx context.Context, batchID string) error {
	ctx, cancel := context.WithTimeout(ctx, dropLimit)
	defer cancel()
	f, err := e.client.Follow(ctx, e.app.project, batchID, "", func(error) {})
	if err != nil {
		return err
	}
	_, err = f.Work(ctx, control.Work{}, func(installer.Event) {})
	return err
}
