package main

import (
	"context"
	"strings"

	"tripod/installer"
)

type retryCmd struct {
	ID []string `arg:"" name:"id" help:"Batches, or single invocations."`
	againFlags
}

// Help is shown by `tripod retry --help`.
func (retryCmd) Help() string {
	return `Goes on with what is unfinished, and starts what failed, timed out or was
canceled again in a new batch: of a whole batch, or only the invocations that are
named. Hosts that are done are not touched. Credentials are those of the batch
while they are kept (24 hours); new ones are given as for install, with -f,
--ask-pass or --identity.

Examples:
  tripod retry BATCH
  tripod retry INVOCATION INVOCATION -f hosts.txt`
}

// Run goes on.
func (c *retryCmd) Run(ctx context.Context, a *app) error { return c.work(ctx, a, c.retry) }

func (c *retryCmd) retry(ctx context.Context, e *engine, given givenCredentials) error {
	invs, err := e.named(ctx, c.ID...)
	if err != nil {
		return err
	}
	todo, err := e.whatToRetry(ctx, invs, c.ids())
	if err != nil {
		return err
	}
	open := len(todo.goOn) + len(todo.redo)
	maxFailures, err := c.failureLimit(open)
	if err != nil {
		return err
	}
	if open == 0 {
		e.app.notef("nothing to do: %s", todo.allDone())
		return todo.unless(e.showReport(c.Output, ran{}, c.report(ctx, e, invs, todo, nil, todo.done)))
	}
	fresh, err := e.prepare(ctx, retrying, c.ids(), todo, given, maxFailures)
	if err != nil {
		return err
	}
	how, after, err := e.workThrough(ctx, todo, fresh, maxFailures)
	if err != nil {
		return err
	}
	return todo.unless(e.showReport(c.Output, how, c.report(ctx, e, invs, todo, fresh, after)))
}

// ids are those of the command line, to be given once more.
func (c *retryCmd) ids() string { return strings.Join(c.ID, " ") }

// report is of the batch that was named. Where that is not the one thing that was,
// it is of the batch that does the work.
func (c *retryCmd) report(ctx context.Context, e *engine, invs []namedInvocation, w retryWork, fresh []string, after []installer.Invocation) reportOf {
	id := c.ID[0]
	if len(c.ID) > 1 || len(invs) > 0 && invs[0].alone {
		batches := append(fresh, w.batches()...)
		for _, inv := range w.done {
			batches = append(batches, inv.BatchID)
		}
		id = batches[0]
	}
	r := newReport(context.WithoutCancel(ctx), e.client, id, after)
	r.retryIDs = c.ids()
	return r
}
