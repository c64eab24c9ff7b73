package main

import (
	"context"

	"tripod/installer"
)

type updateCmd struct{ deployFlags }

// Help is shown by `tripod update --help`.
func (updateCmd) Help() string {
	return `As install, for hosts that have the agent: one that has none fails
(agent-missing). The version before is kept on each host, so that the batch can be
undone: tripod rollback BATCH, with the logins given once more.

Examples:
  tripod update -f hosts.txt --package telescope_linux_amd64.tar.gz --version 2.7.2
  tripod update -f hosts.txt --online-url https://mirror.example.com/agent --region r-1`
}

// Run updates.
func (c *updateCmd) Run(ctx context.Context, a *app) error {
	return c.deploy(ctx, a, installer.Update)
}
