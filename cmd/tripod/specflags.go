package main

import (
	"context"
	"errors"
	"regexp"
	"time"

	"tripod/installer"
)

// specFlags say what to do on each host.
type specFlags struct {
	contentFlags
	onlineFlags

	Target       string `default:"telescope" help:"What is installed."`
	AgentVersion string `name:"version" placeholder:"V" help:"Version wanted; empty: the package's, or the newest of the catalogue."`
	Edition      string `enum:",basic,advance" default:"" placeholder:"EDITION" help:"Edition from the catalogue, basic or advance; empty: the one that the host has, else basic before advance."`
	policyFlags
}

// policyFlags are of check and serve too.
type policyFlags struct {
	Timeout  time.Duration `placeholder:"D" help:"Longest run of the script on a host (default 30m)."`
	HostKeys string        `default:"accept-new" enum:"accept-new,strict,insecure" help:"accept-new pins a key at first sight and refuses a change; strict wants a known one; insecure accepts any."`
	knownHostsFlag
}

type knownHostsFlag struct {
	KnownHosts []string `type:"path" sep:"none" placeholder:"FILE" help:"known_hosts for strict (default: the files that ssh reads)."`
}

var (
	targetName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	versionName = regexp.MustCompile(`^[0-9A-Za-z_.-]{0,64}$`)
)

// complete is spec, and takes packages from the catalogue where neither
// packages nor a script are given.
func (f *specFlags) complete(ctx context.Context, a *app, c content) (installer.Spec, error) {
	spec, err := f.spec(c)
	faults, ok := errors.AsType[installer.Faults](err)
	if err != nil && !ok {
		return spec, err
	}
	if needsPackage(spec) && len(f.Package) == 0 {
		fault, err := a.choosePackages(ctx, &spec)
		if err != nil {
			return spec, err
		}
		if fault != "" {
			faults.Add("--package", "%s", fault)
		}
	}
	return spec, faults.Err()
}

// spec checks the flags and makes what is known without the store.
func (f *specFlags) spec(c content) (installer.Spec, error) {
	var faults installer.Faults
	if !targetName.MatchString(f.Target) {
		faults.Add("--target", "want ^[a-z0-9][a-z0-9-]{0,31}$")
	}
	if !versionName.MatchString(f.AgentVersion) {
		faults.Add("--version", "want up to 64 of 0-9 A-Z a-z _ . -")
	}
	if c.script == nil {
		if f.Target != installer.TargetTelescope {
			faults.Add("--target", "only telescope has a recipe of its own: give --script for %q", f.Target)
		}
	}
	if f.Edition != "" && (c.script != nil || len(c.packages) > 0 || f.OnlineURL != "") {
		faults.Add("--edition", "chooses from the catalogue: not together with --package, --script or --online-url")
	}
	spec := installer.Spec{Target: f.Target, Version: f.AgentVersion, VersionType: string(editions[f.Edition])}
	for _, p := range c.packages {
		spec.Packages = append(spec.Packages, p.ref)
	}
	if c.script != nil {
		spec.Script = &c.script.ref
	}
	spec.Online = f.online(c, &faults)
	f.policyFlags.apply(&spec, &faults)
	return spec, faults.Err()
}

func (f *policyFlags) apply(spec *installer.Spec, faults *installer.Faults) {
	if f.Timeout < 0 {
		faults.Add("--timeout", "must not be negative")
	}
	spec.RunTimeout, spec.HostKeys = f.Timeout, installer.HostKeyPolicy(f.HostKeys)
}

func (f *knownHostsFlag) knownHosts() []string {
	if len(f.KnownHosts) > 0 {
		return f.KnownHosts
	}
	return defaultKnownHosts()
}
