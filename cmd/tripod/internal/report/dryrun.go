package report

import (
	"fmt"
	"strings"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer"
	"tripod/installer/plaintext"
	"tripod/installer/plan"
)

var planRows = List[plan.Item]{Columns: []Column[plan.Item]{
	{Name: "host", Of: func(i plan.Item) any { return i.Invocation.Host.Label() }},
	{Name: "user", Of: func(i plan.Item) any { return i.Invocation.Host.User }},
	{Name: "login", Of: func(i plan.Item) any { return i.Login }},
	{Name: "via", Of: func(i plan.Item) any { return Route(i.Invocation.Host) }},
	{Name: "from", Of: func(i plan.Item) any { return i.Where }},
}}

// Plan is --dry-run: what would be done, as a table or as JSON.
func Plan(format string, task installer.Type, items []plan.Item) (string, error) {
	spec := items[0].Invocation.Spec
	for _, item := range items {
		if item.Edition == "" {
			spec = item.Invocation.Spec
			break
		}
	}
	switch format {
	case "table":
		var b strings.Builder
		fmt.Fprintf(&b, "%s\n\n", plaintext.Line(describe(task, spec)))
		err := planRows.Write(&b, format, Pages(items))
		return b.String(), err
	case "json":
		hosts := []map[string]any{}
		for _, item := range items {
			host, err := HostJSON(item.Invocation.Host)
			if err != nil {
				return "", err
			}
			host["where"], host["login"] = item.Where, item.Login
			hosts = append(hosts, host)
		}
		return JSON(map[string]any{"dry_run": true, "spec": spec, "hosts": hosts})
	}
	return "", exit.Usagef("--dry-run supports --output table and json")
}

// EditionNotes say which edition the hosts get that have one already.
func EditionNotes(items []plan.Item) (notes []string) {
	for _, item := range items {
		if item.Edition == "" {
			continue
		}
		for _, pkg := range item.Invocation.Spec.Packages {
			how := "keeps"
			if pkg.Edition != item.Edition {
				how = "has the " + item.Edition.Word() + " edition and gets"
			}
			notes = append(notes, fmt.Sprintf("%s %s the %s edition: %s (%s %s)", item.Invocation.Host.Label(), how, pkg.Edition.Word(), pkg.Name, pkg.Arch, pkg.Version))
		}
	}
	return notes
}

func describe(task installer.Type, spec installer.Spec) string {
	if spec.Script != nil {
		text := fmt.Sprintf("run %s (sha256 %.12s) for target %s", spec.Script.Name, spec.Script.SHA256, spec.Target)
		for _, f := range spec.Send {
			text += ", with " + f.Name
		}
		return text
	}
	s := strings.ToLower(string(task)) + " " + spec.Target
	if spec.Version != "" {
		s += " " + spec.Version
	}
	for _, pkg := range spec.Packages {
		s += fmt.Sprintf(", %s (%s %s, sha256 %.12s)", pkg.Name, pkg.Arch, pkg.Version, pkg.SHA256)
	}
	if spec.Purge {
		s += ", and remove the versions and files that are kept on the hosts"
	}
	if spec.Online != nil {
		s += ", downloaded by each host from " + spec.Online.URL
		if spec.Online.Region != "" {
			s += " for region " + spec.Online.Region
		}
	}
	return s
}
