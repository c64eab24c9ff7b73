package main

import (
	"context"
	"errors"
	"slices"

	"tripod/installer"
	"tripod/installer/control"
)

type hostsRemoveCmd struct {
	Host []string `arg:"" name:"host" help:"Instance ids, addresses, addresses with ports or names."`
}

// Help is shown by `tripod hosts remove --help`.
func (hostsRemoveCmd) Help() string {
	return `Forgets hosts, erases their passwords and keys, and takes back that they are
installers. What was done on them stays in the lists, and so do their host keys
(see hosts forget-key). Nothing is done on the hosts themselves.`
}

// Run removes all of the hosts or none.
func (c *hostsRemoveCmd) Run(ctx context.Context, a *app) error {
	return a.change(ctx, func(hosts *control.Client) error {
		var ids []string
		var faults installer.Faults
		for _, what := range c.Host {
			h, err := findHost(ctx, hosts, a.project, what)
			if code, _ := classify(err); err != nil && code != exitUsage {
				return err
			} else if err != nil {
				faults.Add("host", "%v", err)
			}
			if !slices.Contains(ids, h.ID) {
				ids = append(ids, h.ID)
			}
		}
		if err := faults.Err(); err != nil {
			return usageError(err, "see `tripod hosts list`")
		}
		err := hosts.RemoveHosts(ctx, a.project, ids)
		if errors.Is(err, installer.ErrInUse) {
			return usageError(err, "wait until it has ended, or cancel it; see `tripod status`")
		}
		if err != nil {
			return err
		}
		a.notef("removed %d hosts of project %s; their logins are erased", len(ids), a.project)
		return nil
	})
}
