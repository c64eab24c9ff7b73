package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/flags"
	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/hostsfile"
)

type hostsCmd struct {
	Import    hostsImportCmd    `cmd:"" help:"Add the hosts of a file to the inventory, with labels, ids and logins."`
	List      hostsListCmd      `cmd:"" help:"List the hosts of the inventory and the state of their agents."`
	Show      hostsShowCmd      `cmd:"" help:"Show one host of the inventory."`
	Remove    hostsRemoveCmd    `cmd:"" help:"Remove hosts from the inventory and delete their logins."`
	ForgetKey hostsForgetKeyCmd `cmd:"" help:"Forget the SSH host key of a host that was rebuilt."`
}

var hostList = report.List[installer.KnownHost]{Name: "hosts", JSON: report.HostJSON, Columns: []report.Column[installer.KnownHost]{
	{Name: "instance_id", Of: func(h installer.KnownHost) any { return h.ID }},
	{Name: "name", Of: func(h installer.KnownHost) any { return h.Name }},
	{Name: "address", Of: func(h installer.KnownHost) any { return h.Address }, In: report.CSV},
	{Name: "address", Of: func(h installer.KnownHost) any { return h.HostPort() }, In: report.Table | report.Details},
	{Name: "port", Of: func(h installer.KnownHost) any { return h.Port }, In: report.CSV},
	{Name: "user", Of: func(h installer.KnownHost) any { return h.User }, In: report.CSV | report.Details},
	{Name: "via", Of: func(h installer.KnownHost) any { return report.Route(h.Host) }, In: report.Details},
	{Name: "type", Of: func(h installer.KnownHost) any { return h.Type }},
	{Name: "intranet_ips", Of: func(h installer.KnownHost) any { return h.IntranetIPs }},
	{Name: "elastic_ips", Of: func(h installer.KnownHost) any { return h.ElasticIPs }},
	{Name: "agent", Of: func(h installer.KnownHost) any { return h.Agent }},
	{Name: "version", Of: func(h installer.KnownHost) any { return h.Version }},
	{Name: "verified", Of: func(h installer.KnownHost) any { return h.Verified }},
	{Name: "login", Of: func(h installer.KnownHost) any { return h.Login }},
	{Name: "jump_host", Of: func(h installer.KnownHost) any { return h.JumpHost }},
	{Name: "labels", Of: func(h installer.KnownHost) any { return labelTexts(h.Labels) }},
	{Name: "edition", Of: func(h installer.KnownHost) any { return h.Edition.Word() }},
	{Name: "reporting", Of: func(h installer.KnownHost) any { return h.Reporting.Able }},
	{Name: "reporting_why", Of: func(h installer.KnownHost) any { return h.Reporting.Why }, In: report.CSV | report.Details},
}}

func labelTexts(labels map[string]string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if value := labels[name]; value != "" {
			name += "=" + value
		}
		all = append(all, name)
	}
	return all
}

type hostsListCmd struct {
	Label []string `sep:"none" placeholder:"NAME[=VALUE]" help:"Only hosts with this label; several: with all of them."`
	listFlag
}

func (c *hostsListCmd) Run(ctx context.Context, s *session.Session) error {
	labels, err := flags.ParseLabels(c.Label)
	if err != nil {
		return err
	}
	hosts, err := session.Read(ctx, s, func(client *control.Client) ([]installer.KnownHost, error) {
		return client.Hosts(ctx, labels)
	})
	if err != nil {
		return err
	}
	return hostList.Write(s.Stdout, c.Output, report.Pages(hosts))
}

type hostsShowCmd struct {
	Host string `arg:"" name:"host" help:"Instance id, address, address:port or name."`
	textFlag
}

func (c *hostsShowCmd) Run(ctx context.Context, s *session.Session) error {
	h, err := session.Read(ctx, s, func(client *control.Client) (installer.KnownHost, error) {
		return flags.FindHost(ctx, client, c.Host)
	})
	if err != nil {
		return err
	}
	doc, err := report.HostJSON(h)
	if err != nil {
		return err
	}
	return c.print(s, doc, hostList.Details(h))
}

type hostsRemoveCmd struct {
	Host []string `arg:"" name:"host" help:"Instance ids, addresses, addresses with ports, or names."`
}

func (hostsRemoveCmd) Help() string {
	return `Removes hosts, their stored passwords and keys, and their jump-host role. The
history of what was done on them stays, and so do their SSH host keys (see
hosts forget-key). Nothing is changed on the hosts themselves.`
}

// Run removes all of the hosts or none.
func (c *hostsRemoveCmd) Run(ctx context.Context, s *session.Session) error {
	return s.Change(ctx, func(client *control.Client) error {
		hosts, err := flags.FindHosts(ctx, client, "host", c.Host)
		if err != nil {
			return flags.SeeHosts(err)
		}
		var ids []string
		for _, h := range hosts {
			ids = append(ids, h.ID)
		}
		_, err = control.RemoveHosts.Call(ctx, client, control.IDs{IDs: ids})
		if errors.Is(err, installer.ErrInUse) {
			return exit.UsageError(err, "wait until it has ended, or cancel it; see `tripod status`")
		}
		if err != nil {
			return err
		}
		s.Notef("removed %d hosts from the inventory of project %s and deleted their logins", len(ids), s.Project)
		return nil
	})
}

type hostsForgetKeyCmd struct {
	Host string `arg:"" name:"host" help:"HOST[:PORT], as in the hosts file, or the instance id or name of a host of the inventory."`
}

func (c *hostsForgetKeyCmd) Run(ctx context.Context, s *session.Session) error {
	host, err := hostsfile.ParseEndpoint(c.Host, "", installer.DefaultPort)
	if err != nil {
		return exit.UsageError(fmt.Errorf("host: %w", err), "must be HOST or HOST:PORT")
	}
	return s.Change(ctx, func(client *control.Client) error {
		at := host.HostPort()
		if h, err := flags.FindHost(ctx, client, c.Host); err == nil && h.Address != c.Host {
			at = h.HostPort() // called by its id or name
		}
		n, err := control.ForgetKeys.Call(ctx, client, control.ID{ID: at})
		if err != nil {
			return err
		}
		if n == 0 {
			return exit.UsageError(fmt.Errorf("no host key is stored for %s", at), "give the port if it is not 22")
		}
		s.Notef("forgot the host key of %s: the next connection accepts and stores the key that it finds", at)
		return nil
	})
}

type hostsImportCmd struct {
	File []string `arg:"" name:"file" help:"Hosts files; \"-\" is standard input."`
	flags.Format
	Label []string `sep:"none" placeholder:"NAME=VALUE" help:"Label for all of the hosts; a label in the file has priority."`
	flags.Access
}

func (hostsImportCmd) Help() string {
	return `Reads every format of hosts files; CSV and JSON may also give instance_id,
instance_type (ECS or BMS), labels, intranet_ips, elastic_ips, the agent's configuration,
and variables of scripts. A host that is in the inventory already, by its id or address,
is replaced. Its password or key is stored encrypted until the host is removed or
imported with another one.

Example:
  tripod hosts import --label env=prod hosts.csv`
}

// Run imports all hosts or, after any fault, none.
func (c *hostsImportCmd) Run(ctx context.Context, s *session.Session) error {
	var faults installer.Faults
	labels, labelsErr := flags.ParseLabels(c.Label)
	files := flags.HostsFiles{File: c.File, Format: c.Format, Access: c.Access}
	entries, err := files.Entries(ctx, s)
	if err := errors.Join(flags.Collect(labelsErr, &faults), flags.Collect(err, &faults)); err != nil {
		return err
	}
	if err := faults.Err(); err != nil {
		return err
	}
	withoutLogin := 0
	withID := map[string]string{}
	for i := range entries {
		e := &entries[i]
		e.Host.AddLabels(labels)
		if config := e.Host.Agent.Or(installer.AgentConfigOf(e.Host.Labels)); config != nil && config.InstanceID != "" {
			if other, twice := withID[config.InstanceID]; twice {
				faults.Add(e.Where, "the instance id of its agent is also given to %s", other)
			}
			withID[config.InstanceID] = e.Where
		}
		e.Host.DeriveIPs()
		if e.Credentials.Login.IsZero() {
			withoutLogin++
			e.Credentials.SudoPassword = installer.Secret{} // of no use alone
		}
		*e = installer.HostEntry{Where: e.Where, Host: e.Host, Credentials: e.Credentials}
	}
	if err := faults.Err(); err != nil {
		return err
	}
	return s.Change(ctx, func(client *control.Client) error {
		if _, err := control.AddHosts.Call(ctx, client, control.HostEntries{Hosts: entries}); err != nil {
			return err
		}
		s.Notef("imported %d hosts into the inventory of project %s", len(entries), s.Project)
		if withoutLogin > 0 {
			s.Notef("note: %d of them have no password or key in the file: a login that is stored for them already is kept, else the daemon's default key is used", withoutLogin)
		}
		return nil
	})
}
