package main

import (
	"context"
	"time"

	"tripod/cmd/tripod/internal/flags"
	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plan"
)

// deployFlags are of the commands that install.
type deployFlags struct {
	changeFlags
	flags.Spec
	flags.Agent
}

// changeFlags are of every command that changes hosts.
type changeFlags struct {
	flags.Targets
	session.RunFlags
	reportFlag
	DryRun bool `help:"Check all input and print what would be done, without connecting to any host."`
}

type installCmd struct{ deployFlags }

func (installCmd) Help() string {
	return `Examples:
  tripod install -f hosts.txt --package telescope_linux_amd64.tar.gz --ask-pass
  tripod install -f iplist.txt --package telescope_linux_amd64.tar.gz   # lines of IP,password
  tripod install --via ops@bastion --via-identity ~/.ssh/bastion -i ~/.ssh/fleet \
      --script setup.sh 10.0.0.[1-50]

Ctrl-C stops cleanly; repeating the command resumes what is unfinished.`
}

func (c *installCmd) Run(ctx context.Context, s *session.Session) error {
	return c.deploy(ctx, s, installer.Install)
}

type updateCmd struct{ deployFlags }

func (updateCmd) Help() string {
	return `Works like install, but only on hosts that have the agent: the others fail with
agent-missing. The previous version is kept on each host, so that the batch can be
rolled back: tripod rollback BATCH, with the logins given again.

Examples:
  tripod update -f hosts.txt --package telescope_linux_amd64.tar.gz --version 2.7.2
  tripod update -f hosts.txt --online-url https://mirror.example.com/agent --region r-1`
}

func (c *updateCmd) Run(ctx context.Context, s *session.Session) error {
	return c.deploy(ctx, s, installer.Update)
}

func (c *deployFlags) deploy(ctx context.Context, s *session.Session, task installer.Type) error {
	var faults installer.Faults
	spec, files := c.Make(&faults)
	agent, keys, err := c.Agent.Read(ctx, s.Notef, c.Region, &faults)
	if err != nil {
		return err
	}
	flags.Refuse(&faults, c.Script != "" && (agent != nil || !keys.IsZero()), "--agent-config",
		"the agent's configuration cannot be combined with --script")
	flags.Refuse(&faults, c.Script != "" && c.RequireReporting, "--require-reporting", "cannot be combined with --script")
	spec.Agent, spec.RequireReporting = agent, c.RequireReporting
	vars := c.SecretVars(s, &faults)
	return c.change(ctx, s, work{task: task, spec: spec, keys: keys, vars: vars, files: files, knownHosts: c.Files()}, faults)
}

type work struct {
	task       installer.Type
	spec       installer.Spec
	keys       installer.AgentKeys
	vars       installer.Vars
	files      flags.Files
	knownHosts []string
}

// change does the work. All faults of the input are reported before
// anything is dialled or stored.
func (c *changeFlags) change(ctx context.Context, s *session.Session, w work, faults installer.Faults) error {
	req, err := c.Request(ctx, s, c.RunFlags, w.task, w.spec, &faults)
	if err != nil {
		return err
	}
	req.Resume, req.AgentKeys, req.Vars = true, w.keys, w.vars
	planned, err := s.Plan(ctx, req, faults)
	if err != nil {
		return err
	}
	w.files.Warn(s.Notef)
	if c.DryRun {
		return c.showPlan(s, w.task, planned.Items)
	}
	return s.Work(ctx, c.RunFlags, w.knownHosts, func(j *session.Job) error {
		if err := w.files.Store(ctx, j.Client.PutBlob); err != nil {
			return err
		}
		return c.run(ctx, j, req)
	})
}

func (c *changeFlags) run(ctx context.Context, j *session.Job, req plan.Request) error {
	p, err := j.Submit(ctx, req)
	if err != nil {
		return err
	}
	if head := p.Batch; p.Resumed {
		j.Notef("resuming batch %s of %s: %d of %d hosts are done and are left as they are",
			head.ID, head.Created.Local().Format(time.DateTime), head.Total-head.Open, head.Total)
	} else if err := noteUnfinished(ctx, j, head.ID); err != nil {
		return err
	}
	return j.RunAndShow(ctx, c.Output, p, false)
}

func (c *changeFlags) showPlan(s *session.Session, task installer.Type, items []plan.Item) error {
	text, err := report.Plan(c.Output, task, items)
	if err != nil {
		return err
	}
	workers, err := s.Parallel(c.Parallel)
	if err != nil {
		return err
	}
	for _, note := range report.EditionNotes(items) {
		s.Notef("%s", note)
	}
	s.Notef("dry run: no host was connected to; %d hosts, %d at once", len(items), min(workers, len(items)))
	return s.Print(text)
}

// noteUnfinished reminds of other work that was interrupted: a command that
// differs in a flag does not resume it.
func noteUnfinished(ctx context.Context, j *session.Job, own string) error {
	const newest = 20
	heads, err := control.ListBatches.Call(ctx, j.Client, control.Newest{Limit: newest})
	for _, h := range heads {
		if h.Open == 0 || h.ID == own {
			continue
		}
		now, err := control.GetBatch.Call(ctx, j.Client, control.ID{ID: h.ID})
		if err != nil {
			return err
		}
		if now.Open > 0 && !now.UnderWay {
			j.Notef("note: batch %s (%s) has %d unfinished hosts: %s, or: %s",
				h.ID, h.Source, h.Open, j.Command("retry", h.ID), j.Command("cancel", h.ID))
		}
	}
	return err
}
