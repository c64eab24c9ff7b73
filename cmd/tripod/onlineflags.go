package main

import "tripod/installer"

// onlineFlags say where hosts get the agent from by themselves.
type onlineFlags struct {
	OnlineURL      string `name:"online-url" placeholder:"URL" help:"No package: each host downloads URL/agent_install.sh, the official installer, and runs it."`
	Region         string `placeholder:"REGION" help:"Region that the official installer is given."`
	OnlineInsecure bool   `help:"Allow plain http for --online-url, and any certificate. Who is on the way can then run programs as root on the hosts."`
}

// online makes it what a spec has; nil: no URL is given.
func (f *onlineFlags) online(c content, faults *installer.Faults) *installer.Online {
	if f.OnlineURL == "" {
		if f.Region != "" {
			faults.Add("--region", "is for --online-url")
		}
		if f.OnlineInsecure {
			faults.Add("--online-insecure", "is for --online-url")
		}
		return nil
	}
	if c.script != nil || len(c.packages) > 0 {
		faults.Add("--online-url", "is for hosts that get the agent by themselves: not together with --package or --script")
	}
	o := &installer.Online{URL: f.OnlineURL, Region: f.Region, Insecure: f.OnlineInsecure}
	if err := o.CheckURL(); err != nil {
		hint := ""
		if (installer.Online{URL: o.URL, Insecure: true}).CheckURL() == nil {
			hint = " (or --online-insecure, if you know the network)"
		}
		faults.Add("--online-url", "%v%s", err, hint)
	}
	if err := o.CheckRegion(); err != nil {
		faults.Add("--region", "%v", err)
	}
	return o
}
