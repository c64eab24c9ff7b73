package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"tripod/installer"
	"tripod/installer/plaintext"
)

// table is for people: a row per host, and under it each kind of failure once,
// with its hosts, messages and hint.
func (r reportOf) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	last := "MESSAGE"
	if r.check {
		last = "FOUND"
	}
	fmt.Fprintf(w, "HOST\tSTATUS\tKIND\tVERSION\tTIME\t%s\n", last)
	for i := range r.invocations {
		inv := &r.invocations[i]
		took := dash
		if len(inv.Attempts) > 0 {
			took = shortDuration(worked(inv))
		}
		message := ""
		if !bad(inv) { // those of the bad stand below, with their hints
			message = plaintext.Line(inv.Message)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", plaintext.Line(inv.Host.Label()), word(inv),
			orDash(string(inv.Kind)), orDash(plaintext.Line(agentVersion(inv))), took, message)
	}
	_ = w.Flush()
	lines := strings.Split(b.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n") + r.failures() + "\n" + r.foot()
}

const dash = "-"

func orDash(s string) string {
	if s == "" {
		return dash
	}
	return s
}

// foot is the table's last line.
func (r reportOf) foot() string {
	return fmt.Sprintf("batch %s: %s\n", r.batchID, r.summary())
}

// group is one kind of failure, with its hosts by message.
type group struct {
	kind     installer.Kind
	messages []string
	hosts    map[string][]string
}

// failures is one paragraph per kind, in the order of the table of kinds.
func (r reportOf) failures() string {
	groups := map[installer.Kind]*group{}
	for i := range r.invocations {
		inv := &r.invocations[i]
		if !bad(inv) {
			continue
		}
		g := groups[inv.Kind]
		if g == nil {
			g = &group{kind: inv.Kind, hosts: map[string][]string{}}
			groups[inv.Kind] = g
		}
		message := plaintext.Line(inv.Message)
		if g.hosts[message] == nil {
			g.messages = append(g.messages, message)
		}
		g.hosts[message] = append(g.hosts[message], plaintext.Line(inv.Host.Label()))
	}
	var b strings.Builder
	for _, info := range installer.Kinds() {
		if g := groups[info.Kind]; g != nil {
			b.WriteString("\n" + g.String())
		}
	}
	return b.String()
}

// mostNamed bounds how many hosts are named with one message.
const mostNamed = 5

func (g *group) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", g.kind)
	for _, message := range g.messages {
		hosts := g.hosts[message]
		named := strings.Join(hosts[:min(len(hosts), mostNamed)], ", ")
		if more := len(hosts) - mostNamed; more > 0 {
			named += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(&b, "  %s%s\n", named, colon(message))
	}
	if hint := g.kind.Hint(); hint != "" {
		fmt.Fprintf(&b, "  hint: %s\n", hint)
	}
	return b.String()
}
