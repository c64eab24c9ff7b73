package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tripod/installer"
	"tripod/installer/control"
)

type setRemoteInstallerCmd struct {
	Host  []string `arg:"" optional:"" name:"host" help:"Known hosts: instance ids, addresses, addresses with ports or names; \"all\": every one."`
	Label []string `sep:"none" placeholder:"NAME[=VALUE]" help:"Known hosts with this label; several: with all of them."`
	Unset bool     `help:"Take back that they are installers, and erase the logins that were kept for that."`

	HostKeys string `default:"accept-new" enum:"accept-new,strict,insecure" help:"accept-new pins a key at first sight and refuses a change; strict wants a known one; insecure accepts any."`
	knownHostsFlag
	runFlags
	outputFlag
}

// Help is shown by `tripod set-remote-installer --help`.
func (setRemoteInstallerCmd) Help() string {
	return `Makes known hosts installers (jump hosts) of the project, after a look whether each
forwards TCP and has room for the work. Nothing is installed on them. Of several, the
first one set that is healthy is used. They serve the agent-task API's REMOTE_INSTALL
(see serve), and its later tasks for those hosts; the hosts of install, update and check
are reached as their files or --via say.

Examples:
  tripod hosts import jumphosts.csv && tripod set-remote-installer --label role=jump
  tripod set-remote-installer --unset jump-1`
}

// Run sets or unsets installers.
func (c *setRemoteInstallerCmd) Run(ctx context.Context, a *app) error {
	if len(c.Host)+len(c.Label) == 0 {
		return usageError(errors.New("no hosts"), "name known hosts, or give --label; see `tripod hosts list`")
	}
	if c.Unset {
		return a.change(ctx, func(b *control.Client) error { return c.unset(ctx, a, b) })
	}
	e, err := c.openEngine(ctx, a, c.knownHosts())
	if err != nil {
		return err
	}
	return e.closing(func() error { return c.set(ctx, e) })
}

// set has each host looked at, and makes it an installer if it is fit.
func (c *setRemoteInstallerCmd) set(ctx context.Context, e *engine) error {
	hosts, err := c.hosts(ctx, e.client, e.app.project, func(h installer.KnownHost) string {
		if h.Login {
			return ""
		}
		return "no password and no key is kept for it: import it with one (tripod hosts import)"
	})
	if err != nil {
		return err
	}
	req := e.app.newRequest(installer.SetRemoteInstaller, "set-remote-installer")
	req.Spec = installer.Spec{Target: installer.TargetTelescope, HostKeys: installer.HostKeyPolicy(c.HostKeys)}
	for _, h := range hosts {
		req.Known = append(req.Known, h.ID)
	}
	if req.MaxFailures, err = c.failureLimit(); err != nil {
		return err
	}
	p, err := e.submit(ctx, req)
	if err != nil {
		return loginHint(err)
	}
	how, err := e.runBatch(ctx, installer.ClaimFilter{BatchID: p.Batch.ID}, p.Limit)
	if err != nil {
		return err
	}
	return e.showBatch(ctx, c.Output, how, p.Batch.ID)
}

// unset dials nothing.
func (c *setRemoteInstallerCmd) unset(ctx context.Context, a *app, b *control.Client) error {
	hosts, err := c.hosts(ctx, b, a.project, func(h installer.KnownHost) string {
		if h.Installer {
			return ""
		}
		return "is no installer"
	})
	if err != nil {
		return err
	}
	ids := make([]string, len(hosts))
	for i, h := range hosts {
		ids[i] = h.ID
	}
	if err := b.UnsetInstallers(ctx, a.project, ids); err != nil {
		return err
	}
	a.notef("installers no more: %d of project %s; the logins that were kept for that are erased", len(hosts), a.project)
	return nil
}

// hosts are those that are meant, each once. unfit says why one will not do.
func (c *setRemoteInstallerCmd) hosts(ctx context.Context, list *control.Client, project string, unfit func(installer.KnownHost) string) ([]installer.KnownHost, error) {
	known := knownFlags{Known: c.Host, Label: c.Label}
	found, faults, err := known.findKnown(ctx, list, project)
	if err != nil {
		return nil, err
	}
	for i := range faults {
		if faults[i].Where == "--known" {
			faults[i].Where = "host"
		}
	}
	seen := map[string]bool{}
	hosts := make([]installer.KnownHost, 0, len(found))
	for _, h := range found {
		if seen[h.ID] {
			continue
		}
		seen[h.ID] = true
		if why := unfit(h); why != "" {
			faults.Add(fmt.Sprintf("known host %s (%s)", h.ID, h.Label()), "%s", why)
		}
		hosts = append(hosts, h)
	}
	if len(faults) > 0 {
		return nil, usageError(faults, "see `tripod hosts list`")
	}
	return hosts, nil
}

// routeText is how a known host is reached, for people; empty: directly.
func routeText(h installer.Host) string {
	if h.RouteChoice != nil {
		if len(h.RouteChoice.Named) == 0 {
			return "the project's installers"
		}
		ids := make([]string, len(h.RouteChoice.Named))
		for i, n := range h.RouteChoice.Named {
			ids[i] = n.ID
		}
		return "installer " + strings.Join(ids, " or ")
	}
	via := make([]string, len(h.Via))
	for i, hop := range h.Via {
		via[i] = hop.User + "@" + hop.HostPort()
	}
	return strings.Join(via, " → ")
}
