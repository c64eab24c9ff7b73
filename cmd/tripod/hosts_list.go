package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plaintext"
)

type hostsListCmd struct {
	Label []string `sep:"none" placeholder:"NAME[=VALUE]" help:"Only hosts with this label; several: with all of them."`
	tableFlag
}

// Run lists hosts by their ids.
func (c *hostsListCmd) Run(ctx context.Context, a *app) error {
	labels, err := parseLabels("--label", c.Label)
	if err != nil {
		return err
	}
	return a.look(ctx, func(hosts *control.Client) error {
		found, err := allHosts(ctx, hosts, a.project, labels)
		if err != nil {
			return err
		}
		text, err := renderHosts(c.Output, found)
		if err != nil {
			return err
		}
		return a.print(text)
	})
}

func allHosts(ctx context.Context, hosts *control.Client, project string, labels map[string]string) ([]installer.KnownHost, error) {
	page, err := hosts.Hosts(ctx, project, installer.HostFilter{Labels: labels})
	return page.Hosts, err
}

// jsonHosts is --output json.
type jsonHosts struct {
	Count int             `json:"count"`
	Hosts []jsonKnownHost `json:"hosts"`
}

func renderHosts(format string, hosts []installer.KnownHost) (string, error) {
	switch format {
	case "json":
		doc := jsonHosts{Count: len(hosts), Hosts: make([]jsonKnownHost, len(hosts))}
		for i, h := range hosts {
			doc.Hosts[i] = knownHostJSON(h)
		}
		return marshal(doc)
	case "csv":
		return hostsCSV(hosts)
	}
	return hostsTable(hosts), nil
}

// hostColumns are the table's; the CSV has them too, under these names in lower
// case. New ones go to the end.
var hostColumns = []string{"INSTANCE_ID", "NAME", "ADDRESS", "PORT", "USER", "TYPE", "INTRANET_IPS", "ELASTIC_IPS",
	"AGENT", "VERSION", "VERIFIED", "LOGIN", "INSTALLER", "LABELS", "EDITION"}

// hostFields are one host's, safe to show.
func hostFields(h installer.KnownHost, verified string) []string {
	fields := []string{
		h.ID, h.Name, h.Address, strconv.Itoa(int(h.Port)), h.User, string(h.Type),
		strings.Join(h.IntranetIPs, ";"), strings.Join(h.ElasticIPs, ";"),
		string(h.Agent), h.Version, verified, yes(h.Login), yes(h.Installer), labelText(h.Labels), h.Edition.Word(),
	}
	for i := range fields {
		fields[i] = plaintext.Line(fields[i])
	}
	return fields
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// labelText is how a hosts file writes labels.
func labelText(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if value := labels[name]; value != "" {
			name += "=" + value
		}
		all = append(all, name)
	}
	return strings.Join(all, ";")
}

func hostsTable(hosts []installer.KnownHost) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tADDRESS\tTYPE\tIPS\tAGENT\tVERSION\tVERIFIED\tLOGIN\tINSTALLER\tLABELS")
	for _, h := range hosts {
		name := h.Name
		if name == h.Address {
			name = ""
		}
		line := []string{
			h.ID, name, installer.Host{Endpoint: h.Endpoint}.Label(), string(h.Type),
			strings.Join(slices.Concat(h.IntranetIPs, h.ElasticIPs), ","), string(h.Agent), h.Version, verifiedText(h.Verified),
			cmp.Or(yes(h.Login), "no"), cmp.Or(yes(h.Installer), "no"), labelText(h.Labels),
		}
		for i := range line {
			line[i] = orDash(plaintext.Line(line[i]))
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	_ = w.Flush()
	return b.String()
}

func verifiedText(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Local().Format(time.DateTime)
}

func hostsCSV(hosts []installer.KnownHost) (string, error) {
	rows := make([][]string, len(hosts))
	for i, h := range hosts {
		rows[i] = hostFields(h, csvTime(h.Verified))
	}
	return csvText(strings.Split(strings.ToLower(strings.Join(hostColumns, ",")), ","), rows)
}
