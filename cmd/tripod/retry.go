package main

import (
	"context"

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
func (c *retryCmd) Run(ctx context.Context, a *app) error {
	return c.run(ctx, a, installer.Retry, c.ID)
}
