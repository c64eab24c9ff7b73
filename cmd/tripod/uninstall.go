package main

import (
	"context"

	"tripod/cmd/tripod/internal/flags"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
)

type uninstallCmd struct {
	changeFlags
	flags.Policy
	Purge bool `help:"Also remove all that Tripod keeps on the hosts: versions for a rollback, with their configuration and keys, and files that were sent."`
}

func (uninstallCmd) Help() string {
	return `Stops and removes the agent and its service, also if Tripod did not install it, and
checks that nothing is left. Hosts without an agent are skipped. It cannot be rolled back.

Examples:
  tripod uninstall -f hosts.txt --dry-run
  tripod uninstall --label env=test --purge`
}

func (c *uninstallCmd) Run(ctx context.Context, s *session.Session) error {
	var faults installer.Faults
	spec := installer.Spec{Target: installer.TargetTelescope, Purge: c.Purge}
	c.Apply(&spec, &faults)
	return c.change(ctx, s, work{task: installer.Uninstall, spec: spec, knownHosts: c.Files()}, faults)
}
