package main

import (
	"context"

	"tripod/cmd/tripod/internal/flags"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
)

type checkCmd struct {
	flags.Targets
	flags.Policy
	session.RunFlags
	reportFlag
	RequireReporting bool `help:"Fail for hosts without an agent, or with one that cannot report to Cloud Eye."`
}

func (checkCmd) Help() string {
	return `Logs in, examines the host and the agent that is installed there, and changes
nothing. Exit code 0: every host can be reached and is suitable; with --require-reporting
also: it has an agent that can report.

Examples:
  tripod check -f hosts.txt --ask-pass
  tripod check --known all --require-reporting`
}

func (c *checkCmd) Run(ctx context.Context, s *session.Session) error {
	var faults installer.Faults
	spec := installer.Spec{Target: installer.TargetTelescope, CheckOnly: true, RequireReporting: c.RequireReporting}
	c.Apply(&spec, &faults)
	req, err := c.Request(ctx, s, c.RunFlags, installer.Install, spec, &faults)
	if err != nil {
		return err
	}
	if _, err := s.Plan(ctx, req, faults); err != nil {
		return err
	}
	return s.Work(ctx, c.RunFlags, c.Files(), func(j *session.Job) error { return j.SubmitAndShow(ctx, c.Output, req) })
}
