package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/control"
)

// reportOf is what the four output formats render: stored invocations, and
// the batch they belong to.
type reportOf struct {
	batchID     string
	check       bool // they only looked
	invocations []installer.Invocation
	retryIDs    string // what `tripod retry` is to be given; empty: batchID
	// logTail returns the end of an invocation's log, for formats that show it; may be nil.
	logTail func(id string) (string, error)
}

func newReport(ctx context.Context, l *control.Client, batchID string, invs []installer.Invocation) reportOf {
	return reportOf{
		batchID:     batchID,
		invocations: invs,
		check:       len(invs) > 0 && !slices.ContainsFunc(invs, func(inv installer.Invocation) bool { return !inv.Spec.CheckOnly }),
		logTail:     func(id string) (string, error) { return logTail(ctx, l, id) },
	}
}

// summary counts the invocations, each once, but Succeeded includes Skipped. What
// had succeeded and was undone later is RolledBack: it is neither.
type summary struct {
	Total      int `json:"total"`
	Succeeded  int `json:"succeeded"`
	Skipped    int `json:"skipped"`
	Failed     int `json:"failed"`
	Timeout    int `json:"timeout"`
	Canceled   int `json:"canceled"`
	Unfinished int `json:"unfinished"`
	RolledBack int `json:"rolled_back"`
}

// well is how many ended as they were to: whoever undid one meant to.
func (s summary) well() int { return s.Succeeded + s.RolledBack }

func (r reportOf) summary() summary {
	s := summary{Total: len(r.invocations)}
	for i := range r.invocations {
		inv := &r.invocations[i]
		switch inv.State {
		case installer.Rollbacked:
			s.RolledBack++
		case installer.Succeeded:
			s.Succeeded++
			if inv.Skipped {
				s.Skipped++
			}
		case installer.Failed:
			s.Failed++
		case installer.Timeout:
			s.Timeout++
		case installer.Canceled:
			s.Canceled++
		default:
			s.Unfinished++
		}
	}
	return s
}

// String is the summary as a sentence.
func (s summary) String() string {
	parts := []string{fmt.Sprintf("%d of %d succeeded", s.Succeeded, s.Total)}
	for _, p := range []struct {
		n    int
		word string
	}{{s.Skipped, "of them skipped"}, {s.Failed, "failed"}, {s.Timeout, "timed out"}, {s.Canceled, "canceled"}, {s.Unfinished, "unfinished"}, {s.RolledBack, "rolled back"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	return strings.Join(parts, ", ")
}

// render writes the report in one of --output's formats.
func (r reportOf) render(format string) (string, error) {
	switch format {
	case "json":
		return r.json()
	case "csv":
		return r.csv()
	case "junit":
		return r.junit()
	}
	return r.table(), nil
}

// word is an invocation's state as a person reads it.
func word(inv *installer.Invocation) string {
	if inv.State == installer.Succeeded && inv.Skipped {
		return "skipped"
	}
	return strings.ToLower(string(inv.State))
}

// bad reports whether an invocation has ended without success.
func bad(inv *installer.Invocation) bool {
	return inv.State.Terminal() && inv.State != installer.Succeeded && inv.State != installer.Rollbacked
}

// agentVersion is the agent's version on the host, as far as it is known.
func agentVersion(inv *installer.Invocation) string {
	if inv.TargetVersion != "" {
		return inv.TargetVersion
	}
	return inv.CurrentVersion
}

// worked is how long the attempts took together; the pauses between them and
// the wait for a worker do not count. Of one that goes on its finished steps count.
func worked(inv *installer.Invocation) time.Duration {
	var sum time.Duration
	for _, a := range inv.Attempts {
		sum += attemptTook(a)
	}
	return sum
}

func attemptTook(a installer.Attempt) time.Duration {
	if !a.Ended.IsZero() {
		return max(0, a.Ended.Sub(a.Started))
	}
	var sum time.Duration
	for _, s := range a.Steps {
		sum += s.Duration
	}
	return sum
}
