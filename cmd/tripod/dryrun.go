package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"tripod/installer"
	"tripod/installer/plaintext"
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

// render writes the plan. CSV and JUnit are formats of results; a plan has none.
func (p plan) render(format string) (string, error) {
	switch format {
	case "json":
		doc := jsonPlan{DryRun: true, Spec: p.spec, Hosts: []jsonPlanHost{}}
		for _, e := range p.entries {
			doc.Hosts = append(doc.Hosts, jsonPlanHost{e.Where, hostJSON(e.Host), p.loginWords(e)})
		}
		return marshal(doc)
	case "table":
		return p.table(), nil
	}
	return "", usagef("--dry-run prints --output table or json")
}

func (p plan) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", plaintext.Line(p.what()))
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tUSER\tLOGIN\tVIA\tFROM")
	for _, e := range p.entries {
		via := make([]string, 0, len(e.Host.Via))
		for _, hop := range e.Host.Via {
			via = append(via, hop.User+"@"+hop.HostPort())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", plaintext.Line(e.Host.Label()), plaintext.Line(e.Host.User), p.loginWords(e),
			orDash(plaintext.Line(strings.Join(via, " → "))), plaintext.Line(e.Where))
	}
	_ = w.Flush()
	return b.String()
}

// loginWords says how a host is logged in to, without any secret.
func (p plan) loginWords(e installer.HostEntry) string {
	if p.kept[e.Host.ID] {
		return "kept"
	}
	var words []string
	if !e.Credentials.PrivateKey.IsZero() {
		words = append(words, "key")
	}
	if !e.Credentials.Password.IsZero() {
		words = append(words, "password")
	}
	switch {
	case e.Host.User == "root" || e.Host.Sudo == installer.SudoNever:
	case e.Credentials.SudoPassword.IsZero():
		words = append(words, "sudo")
	default:
		words = append(words, "sudo with a password of its own")
	}
	return strings.Join(words, "+")
}
