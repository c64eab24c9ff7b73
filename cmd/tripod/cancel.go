package main

import (
	"cmp"
	"context"
	"errors"

	"tripod/installer"
)

type cancelCmd struct {
	ID string `arg:"" help:"A batch, an invocation, or a host of the newest batches."`
	outputFlag
}

// Help is shown by `tripod cancel --help`.
func (cancelCmd) Help() string {
	return `What was interrupted may still run on its host: there the processes are ended
first, and only then it counts as canceled.`
}

// Run cancels what is open.
func (c *cancelCmd) Run(ctx context.Context, a *app) error {
	e, err := (&runFlags{Parallel: defaultParallel}).openEngine(ctx, a, nil)
	if err != nil {
		return err
	}
	return e.closing(func() error { return c.cancel(ctx, e) })
}

func (c *cancelCmd) cancel(ctx context.Context, e *engine) error {
	batchID, only := c.ID, ""
	if _, err := e.client.Batch(ctx, e.app.project, c.ID); errors.Is(err, installer.ErrNotFound) {
		inv, err := findInvocation(ctx, e.client, c.ID)
		if err != nil {
			return err
		}
		batchID, only = inv.BatchID, inv.ID
	} else if err != nil {
		return err
	}
	asked, err := e.client.CancelOpen(ctx, e.app.project, batchID, only)
	if err != nil {
		return err
	}
	if len(asked) == 0 {
		e.app.notef("nothing to cancel: all has ended")
		return nil
	}
	how, err := e.runBatch(ctx, installer.ClaimFilter{BatchID: batchID, InvocationID: only}, 0)
	if err != nil {
		return err
	}
	var invs []installer.Invocation
	for _, id := range asked {
		inv, err := e.client.Invocation(context.WithoutCancel(ctx), e.app.project, id)
		if err != nil {
			return err
		}
		invs = append(invs, inv)
	}
	return e.showCanceled(ctx, c.Output, how, batchID, only, invs)
}

// showCanceled prints the invocations; the exit code is 0 if all of them are
// canceled, or ended well before the cancel reached them. only is the invocation
// that was meant alone; empty: all of the batch.
func (e *engine) showCanceled(ctx context.Context, format string, how ran, batchID, only string, invs []installer.Invocation) error {
	r := newReport(context.WithoutCancel(ctx), e.client, batchID, invs)
	text, err := r.render(format)
	if err != nil {
		return err
	}
	if err := e.app.print(text); err != nil {
		return err
	}
	s := r.summary()
	switch {
	case how.interrupted && s.Unfinished > 0:
		e.app.notef("interrupted: %d are not canceled yet; to go on: %s", s.Unfinished, e.app.again("cancel", cmp.Or(only, batchID)))
		return exitWith(exitInterrupted)
	case s.Canceled+s.well() < s.Total:
		return exitWith(exitHosts)
	}
	return nil
}
