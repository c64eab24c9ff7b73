package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"tripod/installer"
	"tripod/installer/control"
)

// engine is what a command works with that gets something done on hosts: where
// it is stored, and who does it.
type engine struct {
	app   *app
	store backend
	worker
}

// worker works through what is stored, and shows how it goes.
type worker interface {
	// runBatch works through one batch, or one invocation of it, until nothing is
	// left, the user interrupts it or too many hosts fail.
	runBatch(ctx context.Context, what installer.ClaimFilter, maxFailures int) (ran, error)
	// drop waits for the end of what was canceled of a batch that only looks.
	drop(ctx context.Context, batchID string) error
	close() error
}

// openEngine opens the state folder with an engine of our own, or a daemon with
// its. Close it.
func (a *app) openEngine(cfg engineConfig) (*engine, error) {
	if a.daemon != nil {
		return a.remoteEngine(cfg)
	}
	local, err := a.openLocal(cfg)
	if err != nil {
		return nil, err
	}
	return &engine{app: a, store: localState{local.store, a.project}, worker: local}, nil
}

// remoteEngine is the daemon's. What is the daemon's to decide is refused, or said.
func (a *app) remoteEngine(cfg engineConfig) (*engine, error) {
	if !slices.Equal(cfg.knownHosts, defaultKnownHosts()) {
		return nil, usageError(errors.New("--known-hosts: a daemon reads its own known_hosts"), "give it to `tripod serve`, or put the keys into the hosts file (host_key)")
	}
	if cfg.parallel != defaultParallel {
		a.notef("note: how many hosts at once is the daemon's to decide (its --parallel)")
	}
	return &engine{app: a, store: a.daemon, worker: remoteWorker{a}}, nil
}

// submit stores a batch of the present project. inherit names, by invocation,
// the one whose kept credentials it takes; it may be nil.
func (e *engine) submit(ctx context.Context, b installer.Batch, inherit map[string]string) error {
	b.ProjectID = e.app.project
	for i := range b.Items {
		b.Items[i].Invocation.ProjectID = b.ProjectID
	}
	if e.app.daemon != nil {
		e.app.handed.sent = b.ID
	}
	err := e.store.Submit(ctx, control.Submission{Batch: b, Inherit: inherit})
	if _, lost := errors.AsType[*control.Unanswered](err); !lost {
		e.app.handed.sent = ""
	}
	return err
}

// closing runs fn, then closes the engine. A store that does not close well
// matters more than what fn says.
func (e *engine) closing(fn func() error) error {
	return closing(fn, e.worker.close)
}

// closing is engine.closing.
func (e *localEngine) closing(fn func() error) error { return closing(fn, e.close) }

func closing(fn, shut func() error) error {
	err := fn()
	if closeErr := shut(); closeErr != nil {
		return errors.Join(&exitError{code: exitInternal, err: closeErr}, err)
	}
	return err
}

func joinClose(err error, c io.Closer) error { return errors.Join(err, c.Close()) }

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

// remoteWorker is the daemon, which works by itself: it is only followed.
type remoteWorker struct{ app *app }

func (w remoteWorker) close() error { return w.app.daemon.Close() }

// runBatch implements worker. The limit of failures went with the batch.
func (w remoteWorker) runBatch(ctx context.Context, what installer.ClaimFilter, _ int) (ran, error) {
	project := w.app.project
	w.app.handed.acknowledged = append(w.app.handed.acknowledged, what.BatchID)
	f, err := w.app.daemon.Follow(context.WithoutCancel(ctx), project, what.BatchID, what.InvocationID, w.lost)
	if err != nil {
		return ran{}, err
	}
	err = w.app.shown(ctx, f.Head, func(watch func(installer.Event)) error { return f.Run(ctx, watch) })
	if ctx.Err() != nil {
		w.app.daemon.Patience(0) // whoever interrupts does not wait for it
	}
	if err != nil || ctx.Err() != nil {
		return ran{interrupted: ctx.Err() != nil}, err
	}
	head, err := w.app.daemon.Batch(ctx, project, what.BatchID)
	return ran{limitReached: control.LimitReached(head)}, err
}

// lost says that the daemon cannot be asked, and that it can again.
func (w remoteWorker) lost(err error) {
	if err != nil {
		if unanswered, ok := errors.AsType[*control.Unanswered](err); ok {
			err = unanswered.Err
		}
		w.app.notef("the daemon does not answer (%v); it goes on by itself, and is asked again", err)
		return
	}
	w.app.notef("the daemon answers again")
}

// drop implements worker.
func (w remoteWorker) drop(ctx context.Context, batchID string) error {
	ctx, cancel := context.WithTimeout(ctx, dropLimit)
	defer cancel()
	f, err := w.app.daemon.Follow(ctx, w.app.project, batchID, "", func(error) {})
	if err != nil {
		return err
	}
	return f.Run(ctx, func(installer.Event) {})
}

// dropLimit is how long we wait for a daemon to let go of hosts.
const dropLimit = 10 * time.Second

// drop implements worker. It dials nothing.
func (e *localEngine) drop(ctx context.Context, batchID string) error {
	return e.dispatcher(installer.DispatcherConfig{BatchID: batchID, StopWhenIdle: true}).Run(ctx)
}
