package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plaintext"
	"tripod/installer/plan"
)

// jsonPlan is --dry-run --output json.
type jsonPlan struct {
	DryRun bool           `json:"dry_run"`
	Spec   installer.Spec `json:"spec"`
	Hosts  []jsonPlanHost `json:"hosts"`
}

type jsonPlanHost struct {
	Where string `json:"where"`
	jsonHost
	Login string `json:"login"`
}

// showPlan is --dry-run: what would be done, as a table or as JSON. CSV and JUnit are
// formats of results; a plan has none.
func (a *app) showPlan(req plan.Request, items []control.PlannedItem, format string, workers int) error {
	spec := items[0].Invocation.Spec
	for _, item := range items {
		if item.Edition == "" {
			spec = item.Invocation.Spec
			break
		}
	}
	text := ""
	switch format {
	case "json":
		doc := jsonPlan{DryRun: true, Spec: spec, Hosts: []jsonPlanHost{}}
		for _, item := range items {
			doc.Hosts = append(doc.Hosts, jsonPlanHost{item.Where, hostJSON(item.Invocation.Host), item.Login})
		}
		var err error
		if text, err = marshal(doc); err != nil {
			return err
		}
	case "table":
		text = planTable(what(req.Task, spec), items)
	default:
		return usagef("--dry-run prints --output table or json")
	}
	for _, item := range items {
		a.noteEdition(item)
	}
	a.notef("dry run: nothing was dialled; %d hosts, %d at once", len(items), min(workers, len(items)))
	return a.print(text)
}

// noteEdition says what becomes of the edition that a host has.
func (a *app) noteEdition(item control.PlannedItem) {
	if item.Edition == "" {
		return
	}
	for _, pkg := range item.Invocation.Spec.Packages {
		how := "keeps"
		if pkg.Edition != item.Edition {
			how = "has the " + item.Edition.Word() + " edition and gets"
		}
		a.notef("%s %s the %s edition: %s (%s %s)", item.Invocation.Host.Label(), how, pkg.Edition.Word(), pkg.Name, pkg.Arch, pkg.Version)
	}
}

func planTable(what string, items []control.PlannedItem) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", plaintext.Line(what))
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tUSER\tLOGIN\tVIA\tFROM")
	for _, item := range items {
		h := item.Invocation.Host
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", plaintext.Line(h.Label()), plaintext.Line(h.User), item.Login,
			orDash(plaintext.Line(routeText(h))), plaintext.Line(item.Where))
	}
	_ = w.Flush()
	return b.String()
}

// what describes the work in a line.
func what(task installer.Type, spec installer.Spec) string {
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
