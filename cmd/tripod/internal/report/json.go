package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"tripod/installer"
	"tripod/installer/api"
)

// JSONReport is the document of --output json.
type JSONReport struct {
	BatchID     string           `json:"batch_id"`
	Summary     Summary          `json:"summary"`
	Invocations []JSONInvocation `json:"invocations"`
}

// JSONInvocation is the API's item with what the API has no field for.
type JSONInvocation struct {
	api.Item
	BatchID    string               `json:"batch_id"`
	Of         string               `json:"of,omitempty"`
	Address    string               `json:"address"`
	Port       uint16               `json:"port"`
	User       string               `json:"user"`
	Via        []installer.Endpoint `json:"via,omitempty"`
	Kind       installer.Kind       `json:"kind"`
	Message    string               `json:"message"`
	Hint       string               `json:"hint"`
	Skipped    bool                 `json:"skipped"`
	ExitCode   *int                 `json:"exit_code"`
	Reporting  installer.Reporting  `json:"reporting,omitzero"` // of the agent to Cloud Eye, where that was looked at
	DurationMS int64                `json:"duration_ms"`
	Attempts   []JSONAttempt        `json:"attempts"`
}

type JSONAttempt struct {
	Number     int            `json:"number"`
	Started    time.Time      `json:"started"`
	Ended      time.Time      `json:"ended,omitzero"`
	DurationMS int64          `json:"duration_ms"`
	Kind       installer.Kind `json:"kind"`
	Message    string         `json:"message"`
	Steps      []JSONStep     `json:"steps"`
}

type JSONStep struct {
	Step       installer.Step `json:"step"`
	Started    time.Time      `json:"started"`
	DurationMS int64          `json:"duration_ms"`
	Kind       installer.Kind `json:"kind"`
	Note       string         `json:"note"`
}

func (r Report) json() (string, error) {
	doc := JSONReport{BatchID: r.BatchID, Summary: r.Summary(), Invocations: []JSONInvocation{}}
	for i := range r.Invocations {
		doc.Invocations = append(doc.Invocations, invocationJSON(&r.Invocations[i]))
	}
	return JSON(doc)
}

func invocationJSON(inv *installer.Invocation) JSONInvocation {
	j := JSONInvocation{
		Item: api.ItemOf(inv), BatchID: inv.BatchID, Of: inv.Of,
		Address: inv.Host.Address, Port: inv.Host.Port, User: inv.Host.User, Via: inv.Host.Via,
		Kind: inv.Kind, Message: inv.Message, Hint: inv.Kind.Hint(), Skipped: inv.Skipped, ExitCode: inv.ExitCode,
		Reporting:  inv.Reporting,
		DurationMS: worked(inv).Milliseconds(), Attempts: []JSONAttempt{},
	}
	for _, a := range inv.Attempts {
		attempt := JSONAttempt{a.Number, a.Started, a.Ended, attemptTook(a).Milliseconds(), a.Kind, a.Message, []JSONStep{}}
		for _, s := range a.Steps {
			attempt.Steps = append(attempt.Steps, JSONStep{s.Step, s.Started, s.Duration.Milliseconds(), s.Kind, s.Note})
		}
		j.Attempts = append(j.Attempts, attempt)
	}
	return j
}

// JSON makes an indented document in which no character can do harm on a terminal.
func JSON(doc any) (string, error) {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return "", fmt.Errorf("make the JSON document: %w", err)
	}
	return escapedJSON(raw.String()), nil
}

// escapedJSON writes what JSON itself leaves alone and a terminal does not (C1 and
// bidirectional controls) as \u escapes. Such characters can only be inside strings.
func escapedJSON(doc string) string {
	var b strings.Builder
	for _, r := range doc {
		switch {
		case unicode.IsPrint(r) || r == '\n':
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return b.String()
}

type fields map[string]any

// HostJSON is a host, known or not, as --output json has it. Every field is always there:
// who filters with jq is not to tell a missing one from an empty one.
func HostJSON(host any) (map[string]any, error) {
	raw, err := json.Marshal(host)
	if err != nil {
		return nil, err
	}
	doc := fields{
		"host_key": "", "via": []any{}, "through": nil, "become": "",
		"intranet_ips": []any{}, "elastic_ips": []any{}, "labels": fields{}, "vars": fields{}, "agent_config": nil,
	}
	if _, known := host.(installer.KnownHost); known {
		doc["version"], doc["edition"], doc["verified"], doc["reporting"] = "", "", nil, nil
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	for _, hop := range doc["via"].([]any) {
		addMissing(hop, "host_key", "")
	}
	if reporting, found := doc["reporting"].(map[string]any); found {
		addMissing(reporting, "why", "")
	}
	if config, given := doc["agent_config"].(map[string]any); given {
		for _, field := range []string{"region", "endpoint", "project_id", "instance_id"} {
			addMissing(config, field, "")
		}
		addMissing(config, "bms", nil)
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
