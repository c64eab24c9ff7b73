package main

import (
	"context"

	"tripod/installer"
)

type rollbackCmd struct {
	ID string `arg:"" help:"A batch, or one invocation."`
	againFlags
}

// Help is shown by `tripod rollback --help`.
func (rollbackCmd) Help() string {
	return `Undoes what a batch, or one invocation, has done: hosts that were updated go
back to the version before, from what is kept on them, and where nothing was
before the agent is uninstalled. No package and no network are needed. Hosts on
which nothing was changed are left alone, and so are those that a later task has
changed since: roll that one back first, or where nothing undoes it (a script of
your own) install the wanted version. Logins are given as for retry.

Example:
  tripod rollback BATCH -f hosts.txt`
}

// Run rolls back.
func (c *rollbackCmd) Run(ctx context.Context, a *app) error {
	return c.run(ctx, a, installer.Rollback, []string{c.ID})
}
