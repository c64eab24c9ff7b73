package main

import (
	"context"

	"tripod/cmd/tripod/internal/flags"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
)

type configureCmd struct {
	changeFlags
	flags.Agent
	flags.Policy
}

func (configureCmd) Help() string {
	return `Changes the configuration of the installed agent, and nothing else; values that are not
given stay as they are. The agent is restarted and verified. If it fails, its previous
configuration is restored. Columns and labels of hosts are used too: see docs/telescope.md.

Examples:
  tripod configure -f hosts.csv --agent-config fleet.json
  tripod configure --known all --agent-region region-2 --ask-agent-keys`
}

func (c *configureCmd) Run(ctx context.Context, s *session.Session) error {
	var faults installer.Faults
	spec := installer.Spec{Target: installer.TargetTelescope, RequireReporting: c.RequireReporting}
	c.Apply(&spec, &faults)
	var keys installer.AgentKeys
	var err error
	if spec.Agent, keys, err = c.Agent.Read(ctx, s.Notef, "", &faults); err != nil {
		return err
	}
	return c.change(ctx, s, work{task: installer.Configure, spec: spec, keys: keys, knownHosts: c.Files()}, faults)
}
