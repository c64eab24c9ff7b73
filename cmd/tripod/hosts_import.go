package main

import (
	"context"
	"errors"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/hostsfile"
)

type hostsImportCmd struct {
	File   []string `arg:"" name:"file" help:"Hosts files; \"-\" is standard input."`
	Format string   `default:"auto" enum:"${formats}" help:"Format of the hosts files: ${formats}."`
	Label  []string `sep:"none" placeholder:"NAME=VALUE" help:"Label for all of them; what the file says goes before it."`
	accessFlags
}

// Help is shown by `tripod hosts import --help`.
func (hostsImportCmd) Help() string {
	return `Reads every format of hosts files; a CSV or JSON may also give instance_id,
instance_type (ECS or BMS), labels, intranet_ips and elastic_ips. A host that is
known already, by its id or address, is replaced. Its password or key is kept,
sealed, until the host is removed or imported with another one.

Example:
  tripod hosts import --label env=prod hosts.csv`
}

// Run imports all hosts or, after any fault, none.
func (c *hostsImportCmd) Run(ctx context.Context, a *app) error {
	labels, labelsErr := parseLabels("--label", c.Label)
	var faults installer.Faults
	if found, ok := errors.AsType[installer.Faults](labelsErr); ok {
		faults = found
	}
	files := fileFlags{File: c.File, Format: c.Format, accessFlags: c.accessFlags}
	t, err := files.read(ctx, a, nil)
	if found, ok := errors.AsType[installer.Faults](err); ok {
		faults = append(faults, found...)
	} else if err != nil {
		return err
	}
	if err := faults.Err(); err != nil {
		return err
	}
	entries, noLogin := make([]installer.HostEntry, len(t.entries)), 0
	for i, e := range t.entries {
		e.Host.AddLabels(labels)
		e.Host.DeriveIPs()
		if e.Credentials.Login.IsZero() {
			noLogin++
			e.Credentials.SudoPassword = installer.Secret{} // of no use alone
		}
		entries[i] = installer.HostEntry{Where: e.Where, Host: e.Host, Credentials: e.Credentials}
	}
	return a.change(ctx, func(hosts *control.Client) error {
		if err := hosts.RegisterHosts(ctx, a.project, entries); err != nil {
			return err
		}
		a.notef("imported %d hosts into project %s", len(entries), a.project)
		if noLogin > 0 {
			a.notef("note: %d of them came without a password or key: what was kept for them stays, else the daemon's default key is used", noLogin)
		}
		return nil
	})
}

// parseLabels reads NAME=VALUE flags, all faults at once.
func parseLabels(flag string, texts []string) (map[string]string, error) {
	var faults installer.Faults
	labels := map[string]string{}
	for _, text := range texts {
		name, value, err := hostsfile.ParseLabel(text)
		if err != nil {
			faults.Add(flag, "%v", err)
			continue
		}
		if _, twice := labels[name]; twice {
			faults.Add(flag, "%s is there twice", name)
		}
		labels[name] = value
	}
	return labels, faults.Err()
}
