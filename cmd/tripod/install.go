package main

import (
	"context"
	"errors"
	"time"

	"tripod/installer"
)

// deployFlags are of install and update.
type deployFlags struct {
	targetFlags
	specFlags
	runFlags
	outputFlag
	DryRun bool `help:"Read and check everything, print what would be done, dial nothing."`
}

type installCmd struct{ deployFlags }

// Help is shown by `tripod install --help`.
func (installCmd) Help() string {
	return `Examples:
  tripod install -f hosts.txt --package telescope_linux_amd64.tar.gz --ask-pass
  tripod install -f iplist.txt --package telescope_linux_amd64.tar.gz   # IP,password lines
  tripod install --via ops@bastion --via-identity ~/.ssh/bastion -i ~/.ssh/fleet \
      --script setup.sh 10.0.0.[1-50]

Ctrl-C stops cleanly; the same command goes on with what is unfinished.`
}

// Run installs.
func (c *installCmd) Run(ctx context.Context, a *app) error {
	return c.deploy(ctx, a, installer.Install)
}

// deploy does the task on all hosts. Everything that can be wrong with the input
// is told before anything is dialled or stored.
func (c *deployFlags) deploy(ctx context.Context, a *app, task installer.Type) error {
	files, err := c.inspect()
	faults, ok := errors.AsType[installer.Faults](err)
	if err != nil && !ok {
		return err
	}
	req, err := c.request(ctx, a, task, c.spec(files, &faults), &faults)
	if err != nil {
		return err
	}
	req.Resume = true
	if req.MaxFailures, err = c.failureLimit(); err != nil {
		return err
	}
	planned, err := a.planned(ctx, req, faults)
	if err != nil {
		return err
	}
	if c.DryRun {
		workers, err := a.parallel(c.Parallel)
		if err != nil {
			return err
		}
		return a.showPlan(req, planned.Items, c.Output, workers)
	}
	e, err := c.openEngine(ctx, a, c.knownHosts())
	if err != nil {
		return err
	}
	return e.closing(func() error {
		if err := files.store(ctx, e.client.PutBlob, &req.Spec); err != nil {
			return err
		}
		p, err := e.submit(ctx, req)
		if err != nil {
			return loginHint(err)
		}
		if head := p.Batch; p.Resumed {
			a.notef("going on with batch %s of %s: %d of %d are done and are not touched again",
				head.ID, head.Created.Local().Format(time.DateTime), head.Total-head.Open, head.Total)
		} else if err := e.mentionUnfinished(ctx, head.ID); err != nil {
			return err
		}
		how, err := e.runBatch(ctx, installer.ClaimFilter{BatchID: p.Batch.ID}, p.Limit)
		if err != nil {
			return err
		}
		return e.showBatch(ctx, c.Output, how, p.Batch.ID)
	})
}

// mentionUnfinished reminds of other work that was interrupted: a command that
// differs in a flag does not go on with it.
func (e *engine) mentionUnfinished(ctx context.Context, own string) error {
	const newest = 20
	heads, err := e.client.Batches(ctx, e.app.project, newest)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if h.Open > 0 && h.ID != own {
			e.app.notef("note: batch %s (%s) has %d unfinished hosts: %s, or: %s",
				h.ID, h.Source, h.Open, e.app.again("retry", h.ID), e.app.again("cancel", h.ID))
		}
	}
	return nil
}
