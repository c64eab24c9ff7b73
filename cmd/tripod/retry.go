package main

import (
	"context"
)

type retryCmd struct {
	Batch string `arg:"" help:"The batch."`
	againFlags
}

// Help is shown by `tripod retry --help`.
func (retryCmd) Help() string {
	return `Goes on with what is unfinished, and starts what failed, timed out or was
canceled again in a new batch. Hosts that are done are not touched. Credentials
are those of the batch while they are kept (24 hours); new ones are given as for
install, with -f, --ask-pass or --identity.`
}

// Run goes on.
func (c *retryCmd) Run(ctx context.Context, a *app) error { return c.work(ctx, a, c.retry) }

func (c *retryCmd) retry(ctx context.Context, e *engine, given givenCredentials) error {
	if _, err := e.store.Batch(ctx, e.app.project, c.Batch); err != nil {
		return notFoundHint(err, "see `tripod status`")
	}
	todo, err := e.whatToRetry(ctx, c.Batch)
	if err != nil {
		return err
	}
	maxFailures, err := c.failureLimit(len(todo.goOn) + len(todo.redo))
	if err != nil {
		return err
	}
	if len(todo.goOn)+len(todo.redo) == 0 {
		e.app.notef("nothing to do: all %d have succeeded", len(todo.done))
		return e.show(ctx, c.Output, ran{}, c.Batch, todo.done)
	}
	fresh, err := e.prepare(ctx, retrying, c.Batch, todo, given, maxFailures)
	if err != nil {
		return err
	}
	how, invs, err := e.workThrough(ctx, todo, fresh, maxFailures)
	if err != nil {
		return err
	}
	return e.show(ctx, c.Output, how, c.Batch, invs)
}
