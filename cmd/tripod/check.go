package main

import (
	"context"
	"errors"
	"time"

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
	p := plan{task: installer.Install, spec: installer.Spec{Target: installer.TargetTelescope, CheckOnly: true}}
	var faults installer.Faults
	c.apply(&p.spec, &faults)
	var err error
	p.targets, err = c.read(ctx, a)
	if found, ok := errors.AsType[installer.Faults](err); ok {
		faults = append(faults, found...)
	} else if err != nil {
		return err
	}
	if err := faults.Err(); err != nil {
		return err
	}
	if p.maxFailures, err = c.failureLimit(len(p.entries)); err != nil {
		return err
	}
	e, err := c.openEngine(ctx, a, c.knownHosts())
	if err != nil {
		return err
	}
	return e.closing(func() error {
		if err := adoptKnown(ctx, e.client, a.project, p.entries); err != nil {
			return err
		}
		b := p.batch(time.Now(), "") // a look is always a new one
		if err := e.submit(ctx, b, p.inherit(b)); err != nil {
			return keptGone(err)
		}
		how, err := e.runBatch(ctx, installer.ClaimFilter{BatchID: b.ID}, p.maxFailures)
		if err != nil {
			return err
		}
		if how.interrupted || how.LimitReached {
			if err := e.dropBatch(context.WithoutCancel(ctx), b.ID); err != nil {
				return err
			}
		}
		return e.showBatch(ctx, c.Output, how, b.ID)
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
