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
}

func (checkCmd) Help() string {
	return `Logs in, examines the host and the agent that is installed there, and changes
nothing. Exit code 0: every host can be reached and is suitable.

Example:
  tripod check -f hosts.txt --ask-pass`
}

func (c *checkCmd) Run(ctx context.Context, s *session.Session) error {
	var faults installer.Faults
	spec := installer.Spec{Target: installer.TargetTelescope, CheckOnly: true}
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
