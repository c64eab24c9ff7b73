package main

import (
	"context"
	"errors"
	"fmt"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/flags"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/control"
)

type setRemoteInstallerCmd struct {
	Host  []string `arg:"" optional:"" name:"host" help:"Hosts of the inventory: instance ids, addresses, addresses with ports, or names; \"all\": every one."`
	Label []string `sep:"none" placeholder:"NAME[=VALUE]" help:"Hosts of the inventory with this label; several: with all of them."`
	Unset bool     `help:"Remove the jump-host role and delete its credentials."`

	flags.HostKeys
	session.RunFlags
	reportFlag
}

func (setRemoteInstallerCmd) Help() string {
	return `Makes hosts of the inventory jump hosts of the project, after a check that each can
forward TCP and has enough resources. Nothing is installed on them. If there are
several, the healthy one that was set up first is used. They are used by REMOTE_INSTALL
of the agent-task API (see serve) and by later API tasks for those hosts; install,
update and check reach hosts as their files or --via say.

Examples:
  tripod hosts import jumphosts.csv && tripod set-remote-installer --label role=jump
  tripod set-remote-installer --unset jump-1`
}

func (c *setRemoteInstallerCmd) Run(ctx context.Context, s *session.Session) error {
	switch {
	case len(c.Host)+len(c.Label) == 0:
		return exit.UsageError(errors.New("no hosts"), "name hosts of the inventory, or give --label; see `tripod hosts list`")
	case c.Unset:
		return s.Change(ctx, func(client *control.Client) error { return c.unset(ctx, s, client) })
	}
	return s.Work(ctx, c.RunFlags, c.Files(), func(j *session.Job) error { return c.set(ctx, j) })
}

func (c *setRemoteInstallerCmd) set(ctx context.Context, j *session.Job) error {
	req, err := c.NewRequest(j.Session, installer.SetRemoteInstaller, "set-remote-installer")
	if err != nil {
		return err
	}
	req.Spec.Target, req.Spec.HostKeys = installer.TargetTelescope, c.Mode()
	const noLogin = "no password or key is stored for it: import it with one (tripod hosts import)"
	if req.Known, err = c.ids(ctx, j.Client, noLogin, func(h installer.KnownHost) bool { return h.Login }); err != nil {
		return err
	}
	return j.SubmitAndShow(ctx, c.Output, req)
}

func (c *setRemoteInstallerCmd) unset(ctx context.Context, s *session.Session, client *control.Client) error {
	ids, err := c.ids(ctx, client, "is not a jump host", func(h installer.KnownHost) bool { return h.JumpHost })
	if err != nil {
		return err
	}
	if _, err := control.UnsetJumpHosts.Call(ctx, client, control.IDs{IDs: ids}); err != nil {
		return err
	}
	s.Notef("removed the jump-host role of %d hosts of project %s and deleted its credentials", len(ids), s.Project)
	return nil
}

// ids are those of the hosts that are named. why one is not suitable is a fault.
func (c *setRemoteInstallerCmd) ids(
	ctx context.Context, client *control.Client, why string, suitable func(installer.KnownHost) bool,
) (ids []string, err error) {
	inventory := flags.Inventory{Known: c.Host, Label: c.Label}
	found, err := inventory.Find(ctx, client, "host")
	var faults installer.Faults
	if err := flags.Collect(err, &faults); err != nil {
		return nil, err
	}
	for _, h := range found {
		if !suitable(h) {
			faults.Add(fmt.Sprintf("known host %s (%s)", h.ID, h.Label()), "%s", why)
		}
		ids = append(ids, h.ID)
	}
	return ids, flags.SeeHosts(faults.Err())
}
