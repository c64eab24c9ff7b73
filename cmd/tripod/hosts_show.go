package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plaintext"
)

type hostsShowCmd struct {
	Host string `arg:"" name:"host" help:"Instance id, address, address:port or name."`
	documentFlag
}

// Run shows one host.
func (c *hostsShowCmd) Run(ctx context.Context, a *app) error {
	return a.look(ctx, func(hosts *control.Client) error {
		h, err := findHost(ctx, hosts, a.project, c.Host)
		if err != nil {
			return err
		}
		if c.Output == "json" {
			text, err := marshal(knownHostJSON(h))
			if err != nil {
				return err
			}
			return a.print(text)
		}
		return a.print(hostText(h))
	})
}

func hostText(h installer.KnownHost) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, line := range [][2]string{
		{"instance_id", h.ID},
		{"name", h.Name},
		{"address", h.HostPort()},
		{"user", h.User},
		{"via", routeText(h.Host)},
		{"type", string(h.Type)},
		{"intranet_ips", strings.Join(h.IntranetIPs, ", ")},
		{"elastic_ips", strings.Join(h.ElasticIPs, ", ")},
		{"labels", labelText(h.Labels)},
		{"agent", string(h.Agent)},
		{"version", h.Version},
		{"edition", h.Edition.Word()},
		{"verified", verifiedText(h.Verified)},
		{"login kept", cmp.Or(yes(h.Login), "no")},
		{"installer", cmp.Or(yes(h.Installer), "no")},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], orDash(plaintext.Line(line[1])))
	}
	_ = w.Flush()
	return b.String()
}

// findHost finds what a user means: an id, an address or a name.
func findHost(ctx context.Context, hosts *control.Client, project, what string) (installer.KnownHost, error) {
	page, err := hosts.Hosts(ctx, project, installer.HostFilter{IDs: []string{what}})
	if err != nil {
		return installer.KnownHost{}, err
	}
	if len(page.Hosts) == 1 {
		return page.Hosts[0], nil
	}
	all, err := allHosts(ctx, hosts, project, nil)
	if err != nil {
		return installer.KnownHost{}, err
	}
	var found []installer.KnownHost
	for _, h := range all {
		if what == h.Address || what == h.HostPort() || what == h.Name {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		return installer.KnownHost{}, usageError(fmt.Errorf("no known host of project %s is called %q", project, what), "see `tripod hosts list`")
	case 1:
		return found[0], nil
	}
	return installer.KnownHost{}, usageError(fmt.Errorf("%d known hosts are called %q", len(found), what), "give the port too, or the instance id from `tripod hosts list`")
}
