package main

import (
	"slices"
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

// spec makes what is to be done of the flags and files, and finds what is wrong.
func (f *specFlags) spec(c content, faults *installer.Faults) installer.Spec {
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
	spec.Online = f.online(c, faults)
	f.policyFlags.apply(&spec, faults)
	*faults = append(*faults, spec.Validate(flagsOf("target", "version"))...)
	return spec
}

// flagsOf is for fields that are flags of the same name.
func flagsOf(names ...string) installer.At {
	return func(field string) string {
		if slices.Contains(names, field) {
			return "--" + field
		}
		return ""
	}
}

func (f *policyFlags) apply(spec *installer.Spec, faults *installer.Faults) {
	if f.Timeout < 0 {
		faults.Add("--timeout", "must not be negative")
	}
	spec.RunTimeout, spec.HostKeys = max(0, f.Timeout), installer.HostKeyPolicy(f.HostKeys)
}

func (f *knownHostsFlag) knownHosts() []string {
	if len(f.KnownHosts) > 0 {
		return f.KnownHosts
	}
	return defaultKnownHosts()
}
