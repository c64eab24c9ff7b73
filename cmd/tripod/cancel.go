package main

import (
	"cmp"
	"context"
	"errors"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
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
	batchID, only := c.ID, ""
	if _, err := j.Client.Batch(ctx, j.Project, c.ID); errors.Is(err, installer.ErrNotFound) {
		inv, err := session.FindInvocation(ctx, j.Client, c.ID)
		if err != nil {
			return err
		}
		batchID, only = inv.BatchID, inv.ID
	} else if err != nil {
		return err
	}
	asked, err := j.Client.CancelOpen(ctx, j.Project, batchID, only)
	if err != nil {
		return err
	}
	if len(asked) == 0 {
		j.Notef("nothing to cancel: everything has ended already")
		return nil
	}
	how, err := j.Run(ctx, installer.ClaimFilter{BatchID: batchID, InvocationID: only}, 0)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	var invs []installer.Invocation
	for _, id := range asked {
		inv, err := j.Client.Invocation(ctx, j.Project, id)
		if err != nil {
			return err
		}
		invs = append(invs, inv)
	}
	return c.show(j, how, session.Report(ctx, j.Client, batchID, invs), cmp.Or(only, batchID))
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
