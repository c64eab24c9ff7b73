package main

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

// jsonReport is the one document of --output json.
type jsonReport struct {
	BatchID     string           `json:"batch_id"`
	Summary     summary          `json:"summary"`
	Invocations []jsonInvocation `json:"invocations"`
}

// jsonInvocation is the API's item with what the API has no field for.
type jsonInvocation struct {
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
	DurationMS int64                `json:"duration_ms"`
	Attempts   []jsonAttempt        `json:"attempts"`
}

type jsonAttempt struct {
	Number     int            `json:"number"`
	Started    time.Time      `json:"started"`
	Ended      time.Time      `json:"ended,omitzero"`
	DurationMS int64          `json:"duration_ms"`
	Kind       installer.Kind `json:"kind"`
	Message    string         `json:"message"`
	Steps      []jsonStep     `json:"steps"`
}

type jsonStep struct {
	Step       installer.Step `json:"step"`
	Started    time.Time      `json:"started"`
	DurationMS int64          `json:"duration_ms"`
	Kind       installer.Kind `json:"kind"`
	Note       string         `json:"note"`
}

func (r reportOf) json() (string, error) {
	doc := jsonReport{BatchID: r.batchID, Summary: r.summary(), Invocations: []jsonInvocation{}}
	for i := range r.invocations {
		doc.Invocations = append(doc.Invocations, toJSON(&r.invocations[i]))
	}
	return marshal(doc)
}

func toJSON(inv *installer.Invocation) jsonInvocation {
	j := jsonInvocation{
		Item: api.ItemOf(inv), BatchID: inv.BatchID, Of: inv.Of,
		Address: inv.Host.Address, Port: inv.Host.Port, User: inv.Host.User, Via: inv.Host.Via,
		Kind: inv.Kind, Message: inv.Message, Hint: inv.Kind.Hint(),
		Skipped: inv.Skipped, ExitCode: inv.ExitCode,
		DurationMS: worked(inv).Milliseconds(), Attempts: []jsonAttempt{},
	}
	for _, a := range inv.Attempts {
		attempt := jsonAttempt{
			Number: a.Number, Started: a.Started, Ended: a.Ended, DurationMS: attemptTook(a).Milliseconds(),
			Kind: a.Kind, Message: a.Message, Steps: []jsonStep{},
		}
		for _, s := range a.Steps {
			attempt.Steps = append(attempt.Steps, jsonStep{s.Step, s.Started, s.Duration.Milliseconds(), s.Kind, s.Note})
		}
		j.Attempts = append(j.Attempts, attempt)
	}
	return j
}

// marshal makes an indented document in which no character can do harm on a
// terminal.
func marshal(doc any) (string, error) {
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
