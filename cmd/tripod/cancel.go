package main

import (
	"cmp"
	"context"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/control"
)

type cancelCmd struct {
	ID string `arg:"" help:"A batch, an invocation, or a host of the newest batches."`
	reportFlag
}

func (cancelCmd) Help() string {
	return `An interrupted installation may still run on its host: its processes are ended
there first, and only then it counts as canceled.`
}

func (c *cancelCmd) Run(ctx context.Context, s *session.Session) error {
	return s.Work(ctx, session.RunFlags{Parallel: installer.DefaultParallel}, nil, func(j *session.Job) error { return c.cancel(ctx, j) })
}

func (c *cancelCmd) cancel(ctx context.Context, j *session.Job) error {
	batchID, inv, err := session.FindBatch(ctx, j.Client, c.ID)
	if err != nil {
		return err
	}
	what := installer.ClaimFilter{BatchID: batchID}
	if inv != nil {
		what.InvocationID = inv.ID
	}
	asked, err := control.CancelBatch.Call(ctx, j.Client, control.OfBatch(what))
	if err != nil {
		return err
	}
	if len(asked) == 0 {
		j.Notef("nothing to cancel: everything has ended already")
		return nil
	}
	how, err := j.Run(ctx, what, 0)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	invs, err := session.InvocationsByID(ctx, j.Client, asked)
	if err != nil {
		return err
	}
	return c.show(j, how, session.Report(ctx, j.Client, batchID, invs), cmp.Or(what.InvocationID, batchID))
}

// show prints the invocations; the exit code is 0 if all of them are canceled, or ended
// well before the cancel reached them. id is what was canceled.
func (c *cancelCmd) show(j *session.Job, how session.Outcome, r report.Report, id string) error {
	if err := j.PrintMade(r.Render(c.Output)); err != nil {
		return err
	}
	sum := r.Summary()
	switch {
	case how.Interrupted && sum.Unfinished > 0:
		j.Notef("interrupted: %d hosts are not canceled yet; to continue: %s", sum.Unfinished, j.Command("cancel", id))
		return exit.With(exit.Interrupted)
	case sum.Canceled+sum.Good() < sum.Total:
		return exit.With(exit.Hosts)
	}
	return nil
}
