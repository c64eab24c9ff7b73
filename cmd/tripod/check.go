package main

import (
	"context"

	"tripod/installer"
)

type checkCmd struct {
	targetFlags
	policyFlags
	runFlags
	outputFlag
}

// Help is shown by `tripod check --help`.
func (checkCmd) Help() string {
	return `Logs in, looks at the host and at what is installed on it, and changes nothing.
Exit code 0: every host can be reached and is fit.

Example:
  tripod check -f hosts.txt --ask-pass`
}

// Run looks at the hosts.
func (c *checkCmd) Run(ctx context.Context, a *app) error {
	var faults installer.Faults
	spec := installer.Spec{Target: installer.TargetTelescope, CheckOnly: true}
	c.apply(&spec, &faults)
	req, err := c.request(ctx, a, installer.Install, spec, &faults)
	if err != nil {
		return err
	}
	if req.MaxFailures, err = c.failureLimit(); err != nil {
		return err
	}
	if _, err := a.planned(ctx, req, faults); err != nil {
		return err
	}
	e, err := c.openEngine(ctx, a, c.knownHosts())
	if err != nil {
		return err
	}
	return e.closing(func() error {
		p, err := e.submit(ctx, req)
		if err != nil {
			return loginHint(err)
		}
		how, err := e.runBatch(ctx, installer.ClaimFilter{BatchID: p.Batch.ID}, p.Limit)
		if err != nil {
			return err
		}
		if how.interrupted || how.LimitReached {
			if err := e.dropBatch(context.WithoutCancel(ctx), p.Batch.ID); err != nil {
				return err
			}
		}
		return e.showBatch(ctx, c.Output, how, p.Batch.ID)
	})
}

// dropBatch cancels what is open of a batch that nobody will go on with. It
// dials nothing, since nothing that only looks can have left anything behind.
func (e *engine) dropBatch(ctx context.Context, batchID string) error {
	if _, err := e.client.CancelOpen(ctx, e.app.project, batchID, ""); err != nil {
		return err
	}
	return e.drop(ctx, batchID)
}
