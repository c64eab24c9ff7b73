package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plaintext"
)

var planRows = List[control.PlannedItem]{Columns: []Column[control.PlannedItem]{
	{Name: "host", Of: func(i control.PlannedItem) any { return i.Invocation.Host.Label() }},
	{Name: "user", Of: func(i control.PlannedItem) any { return i.Invocation.Host.User }},
	{Name: "login", Of: func(i control.PlannedItem) any { return i.Login }},
	{Name: "via", Of: func(i control.PlannedItem) any { return Route(i.Invocation.Host) }},
	{Name: "from", Of: func(i control.PlannedItem) any { return i.Where }},
}}

// WritePlan is --dry-run: what would be done, as a table or as JSON.
func WritePlan(w io.Writer, format string, task installer.Type, items []control.PlannedItem) error {
	spec := items[0].Invocation.Spec
	for _, item := range items {
		if item.Edition == "" {
			spec = item.Invocation.Spec
			break
		}
	}
	if format != "json" {
		fmt.Fprintf(w, "%s\n\n", plaintext.Line(describe(task, spec)))
		return planRows.Write(w, "table", Pages(items))
	}
	hosts := []map[string]any{}
	for _, item := range items {
		host, err := HostJSON(item.Invocation.Host)
		if err != nil {
			return err
		}
		host["where"], host["login"] = item.Where, item.Login
		hosts = append(hosts, host)
	}
	text, err := JSON(map[string]any{"dry_run": true, "spec": spec, "hosts": hosts})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// EditionNotes say which edition the hosts get that have one already.
func EditionNotes(items []control.PlannedItem) (notes []string) {
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
		return fmt.Sprintf("run %s (sha256 %.12s) for target %s", spec.Script.Name, spec.Script.SHA256, spec.Target)
	}
	s := strings.ToLower(string(task)) + " " + spec.Target
	if spec.Version != "" {
		s += " " + spec.Version
	}
	for _, pkg := range spec.Packages {
		s += fmt.Sprintf(", %s (%s %s, sha256 %.12s)", pkg.Name, pkg.Arch, pkg.Version, pkg.SHA256)
	}
	if spec.Online != nil {
		s += fmt.Sprintf(", downloaded by each host from %s for region %s", spec.Online.URL, spec.Online.Region)
	}
	return s
}

type fields map[string]any

// HostJSON is a host, known or not, as --output json has it. Every field is always there:
// who filters with jq is not to tell a missing one from an empty one.
func HostJSON(host any) (map[string]any, error) {
	raw, err := json.Marshal(host)
	if err != nil {
		return nil, err
	}
	doc := fields{"host_key": "", "via": []any{}, "through": nil, "sudo": "", "intranet_ips": []any{}, "elastic_ips": []any{}, "labels": fields{}}
	if _, known := host.(installer.KnownHost); known {
		doc["version"], doc["edition"], doc["verified"] = "", "", nil
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	for _, hop := range doc["via"].([]any) {
		addMissing(hop, "host_key", "")
	}
	if through, chosen := doc["through"].(map[string]any); chosen {
		addMissing(through, "named", []any{})
		for _, jumpHost := range through["named"].([]any) {
			addMissing(jumpHost, "set_up", false)
		}
	}
	return doc, nil
}

func addMissing(object any, name string, value any) {
	if o := object.(map[string]any); o[name] == nil {
		o[name] = value
	}
}

// Route is how a known host is reached, for people; empty: directly.
func Route(h installer.Host) string {
	if h.RouteChoice != nil {
		if len(h.RouteChoice.Named) == 0 {
			return "the project's jump hosts"
		}
		ids := make([]string, len(h.RouteChoice.Named))
		for i, n := range h.RouteChoice.Named {
			ids[i] = n.ID
		}
		return "jump host " + strings.Join(ids, " or ")
	}
	via := make([]string, len(h.Via))
	for i, hop := range h.Via {
		via[i] = hop.User + "@" + hop.HostPort()
	}
	return strings.Join(via, " → ")
}
