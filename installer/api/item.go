package api

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"tripod/installer"
	"tripod/installer/plaintext"
)

// Item is one invocation in a list, as the API defines it.
type Item struct {
	InvocationID     string                 `json:"invocation_id"`
	InstanceID       string                 `json:"instance_id"`
	InstanceName     string                 `json:"instance_name"`
	InstanceType     installer.InstanceType `json:"instance_type"`
	IntranetIPs      []string               `json:"intranet_ips"`
	ElasticIPs       []string               `json:"elastic_ips"`
	InvocationType   installer.Type         `json:"invocation_type"`
	InvocationStatus installer.State        `json:"invocation_status"`
	InvocationTarget string                 `json:"invocation_target"`
	CreateTime       int64                  `json:"create_time"` // epoch milliseconds
	UpdateTime       int64                  `json:"update_time"` // epoch milliseconds
	// CurrentVersion of the agent before the task, as found by it or last seen: "none"
	// where there is no agent, else "unknown".
	CurrentVersion string `json:"current_version"`
	// TargetVersion is what the task brought or is to bring, "none" where that is
	// nothing, else "unknown": the Terraform provider wants it never empty.
	TargetVersion string `json:"target_version"`
	ResultMsg     string `json:"result_msg"` // 1–5000 characters
}

// Limits of the API, in characters.
const (
	maxResultMsg = 5000
	maxName      = 128
	maxVersion   = 64
)

// What is shown in place of a version.
const (
	unknownVersion = "unknown" // not known yet
	noVersion      = "none"    // nothing is installed before, or is brought
)

// ItemOf renders a stored invocation. No field that the API promises is empty.
func ItemOf(inv *installer.Invocation) Item {
	return Item{
		InvocationID:     inv.ID,
		InstanceID:       inv.Host.ID,
		InstanceName:     Clip(plaintext.Line(cmp.Or(inv.Host.Name, inv.Host.Address)), maxName),
		InstanceType:     cmp.Or(inv.Host.Type, installer.ECS),
		IntranetIPs:      append([]string{}, inv.Host.IntranetIPs...),
		ElasticIPs:       append([]string{}, inv.Host.ElasticIPs...),
		InvocationType:   inv.Type,
		InvocationStatus: inv.State,
		InvocationTarget: cmp.Or(inv.Spec.Target, installer.TargetTelescope),
		CreateTime:       inv.Created.UnixMilli(),
		UpdateTime:       cmp.Or(inv.Updated, inv.Created).UnixMilli(),
		CurrentVersion:   showVersion(currentVersion(inv)),
		TargetVersion:    showVersion(targetVersion(inv)),
		ResultMsg:        Clip(plaintext.Line(ResultMsg(inv)), maxResultMsg),
	}
}

// showVersion makes what a host said safe to show, and as short as the API wants.
func showVersion(version string) string { return Clip(plaintext.Line(version), maxVersion) }

// currentVersion is what the invocation itself tells.
func currentVersion(inv *installer.Invocation) string {
	switch {
	case inv.Outcome.CurrentVersion != "":
		return inv.Outcome.CurrentVersion
	case inv.State.Terminal() && inv.Outcome.Agent != "" && inv.Outcome.Agent != installer.AgentUnknown:
		return noVersion // it was looked for
	}
	return unknownVersion
}

// showLastSeen fills in what was last seen on the host, of an invocation that has
// not yet looked itself.
func (i *Item) showLastSeen(inv *installer.Invocation, h installer.KnownHost) {
	switch {
	case inv.State.Terminal() || inv.Outcome.CurrentVersion != "" || h.Verified.IsZero() || !h.SameMachine(inv.Host):
	case h.Agent == installer.AgentNone:
		i.CurrentVersion = noVersion
	case h.Version != "" && h.Agent != installer.AgentUnknown:
		i.CurrentVersion = showVersion(h.Version)
	}
}

func targetVersion(inv *installer.Invocation) string {
	version := cmp.Or(inv.Outcome.TargetVersion, inv.Spec.Version)
	switch {
	case inv.Task() == installer.SetRemoteInstaller, inv.Task() == installer.Uninstall: // whatever the request says
		return noVersion
	case version == "" && inv.Task() == installer.Rollback:
		return noVersion // it is uninstalled
	}
	for _, p := range inv.Spec.Packages {
		version = cmp.Or(version, p.Version)
	}
	return cmp.Or(version, unknownVersion)
}

// ResultMsg says in one line how an invocation stands: "kind: detail — hint"
// for one that failed, what it waits for while it is open.
func ResultMsg(inv *installer.Invocation) string {
	said := cmp.Or(inv.Message, inv.Outcome.Message)
	if inv.Kind != "" && !inv.State.Good() {
		said = string(inv.Kind) + ": " + cmp.Or(said, "no detail")
	}
	switch inv.State {
	case installer.Pending:
		if inv.Kind == "" {
			return "waiting"
		}
		return "to be tried again after " + said
	case installer.Running:
		if a := inv.Attempt(); a != nil && len(a.Steps) > 0 {
			return "running; last step done: " + string(a.Steps[len(a.Steps)-1].Step)
		}
		return "running"
	case installer.Succeeded:
		return cmp.Or(said, "succeeded")
	case installer.Rollbacked:
		by := "undone by " + cmp.Or(inv.UndoneBy, "a later ROLLBACK")
		if said != "" {
			by += "; before: " + said
		}
		return by
	}
	if hint := inv.Kind.Hint(); said != "" && hint != "" {
		return said + " — " + hint
	}
	return cmp.Or(said, strings.ToLower(string(inv.State)))
}

// Clip cuts s after n characters and marks the cut.
func Clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
