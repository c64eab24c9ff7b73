package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/plaintext"
)

var invocationList = List[installer.Invocation]{Columns: []Column[installer.Invocation]{
	{Name: "host", Of: func(inv installer.Invocation) any { return inv.Host.Label() }, In: Table | Details},
	{Name: "batch_id", Of: func(inv installer.Invocation) any { return inv.BatchID }, In: CSV | Details},
	{Name: "invocation_id", Of: func(inv installer.Invocation) any { return inv.ID }, In: CSV | Details},
	{Name: "type", Of: func(inv installer.Invocation) any { return inv.Type }, In: Details},
	{Name: "of", Of: func(inv installer.Invocation) any { return inv.Of }, In: Details},
	{Name: "instance_id", Of: func(inv installer.Invocation) any { return inv.Host.ID }, In: CSV},
	{Name: "name", Of: func(inv installer.Invocation) any { return inv.Host.Name }, In: CSV},
	{Name: "address", Of: func(inv installer.Invocation) any { return inv.Host.Address }, In: CSV},
	{Name: "port", Of: func(inv installer.Invocation) any { return inv.Host.Port }, In: CSV},
	{Name: "user", Of: func(inv installer.Invocation) any { return inv.Host.User }, In: CSV},
	{Name: "status", Of: func(inv installer.Invocation) any { return status(&inv) }},
	{Name: "kind", Of: func(inv installer.Invocation) any { return inv.Kind }},
	{Name: "version", Of: func(inv installer.Invocation) any {
		if inv.Agent == installer.AgentNone {
			return ""
		}
		return cmp.Or(inv.TargetVersion, inv.CurrentVersion)
	}},
	{Name: reporting, In: Table, Of: func(inv installer.Invocation) any { return inv.Reporting.Able }},
	{Name: "time", In: Table, Of: func(inv installer.Invocation) any {
		if len(inv.Attempts) == 0 {
			return ""
		}
		return Duration(worked(&inv))
	}},
	{Name: "attempts", Of: func(inv installer.Invocation) any { return len(inv.Attempts) }, In: CSV},
	{Name: "seconds", Of: func(inv installer.Invocation) any { return seconds(worked(&inv)) }, In: CSV},
	{Name: "exit_code", Of: func(inv installer.Invocation) any { return inv.ExitCode }, In: CSV | Details},
	{Name: "not_before", In: Details, Of: func(inv installer.Invocation) any {
		if inv.State != installer.Pending {
			return ""
		}
		return inv.NotBefore
	}},
	{Name: "message", Of: func(inv installer.Invocation) any { return inv.Message }, In: CSV | Details},
	{Name: "message", In: Table, Of: func(inv installer.Invocation) any {
		if inv.State.Bad() { // those of failures are below the table, with their hints
			return ""
		}
		return inv.Message
	}},
	{Name: "hint", Of: func(inv installer.Invocation) any { return inv.Kind.Hint() }, In: CSV | Details},
	{Name: reporting, Of: func(inv installer.Invocation) any { return inv.Reporting.Able }, In: CSV | Details},
	{Name: "reporting_why", Of: func(inv installer.Invocation) any { return inv.Reporting.Why }, In: CSV | Details},
}}

// reporting is whether the agent can report. The table leaves it out where no host was asked.
const reporting = "reporting"

// table is for people: a row per host, and under it each kind of failure once,
// with its hosts, messages and hint.
func (r Report) table() (string, error) {
	var b strings.Builder
	list := invocationList
	if !slices.ContainsFunc(r.Invocations, func(inv installer.Invocation) bool { return inv.Reporting.Able != "" }) {
		list.Columns = slices.DeleteFunc(slices.Clone(list.Columns), func(c Column[installer.Invocation]) bool { return c.Name == reporting })
	}
	err := list.Write(&b, "table", Pages(r.Invocations))
	return b.String() + r.failures() + fmt.Sprintf("\nbatch %s: %s\n", r.BatchID, r.Summary()), err
}

// failures is one paragraph per kind, in the order of the table of kinds: each message
// with its hosts.
func (r Report) failures() string {
	var b strings.Builder
	for _, info := range installer.Kinds() {
		var messages []string
		hosts := map[string][]string{}
		for i := range r.Invocations {
			inv := &r.Invocations[i]
			if inv.Kind != info.Kind || !inv.State.Bad() {
				continue
			}
			message := plaintext.Line(inv.Message)
			if hosts[message] == nil {
				messages = append(messages, message)
			}
			hosts[message] = append(hosts[message], plaintext.Line(inv.Host.Label()))
		}
		if len(messages) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", info.Kind)
		for _, message := range messages {
			fmt.Fprintf(&b, "  %s%s\n", someOf(hosts[message]), Colon(message))
		}
		if hint := info.Kind.Hint(); hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", hint)
		}
	}
	return b.String()
}

func someOf(hosts []string) string {
	const most = 5
	named := strings.Join(hosts[:min(len(hosts), most)], ", ")
	if more := len(hosts) - most; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return named
}

// InvocationDetails shows one invocation with every step of every attempt.
func InvocationDetails(inv *installer.Invocation) string {
	var b strings.Builder
	b.WriteString(invocationList.Details(*inv))
	for _, a := range inv.Attempts {
		took := "running"
		if !a.Ended.IsZero() {
			took = Duration(attemptTook(a))
		}
		fmt.Fprintf(&b, "\nattempt %d  %s  %s", a.Number, a.Started.Local().Format(time.DateTime), took)
		if a.Kind != "" {
			fmt.Fprintf(&b, "  %s%s", a.Kind, Colon(plaintext.Line(a.Message)))
		}
		b.WriteString("\n")
		for _, s := range a.Steps {
			line := fmt.Sprintf("  %-8s %7s  %s  %s", s.Step, Duration(s.Duration), s.Kind, plaintext.Line(s.Note))
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	return b.String()
}
