// Package report renders what commands show on stdout: what became of hosts, plans and
// lists, each as a table and in formats for programs.
package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer"
)

// Report is about stored invocations, and the batch they belong to.
type Report struct {
	BatchID     string
	Invocations []installer.Invocation
	// Retry is what `tripod retry` is to be given.
	Retry string
	// LogTail returns the end of an invocation's log, for formats that show it; may be nil.
	LogTail func(id string) (string, error)
}

// CheckOnly reports whether nothing was to be changed on any host.
func (r Report) CheckOnly() bool {
	return len(r.Invocations) > 0 && !slices.ContainsFunc(r.Invocations, func(inv installer.Invocation) bool { return !inv.Spec.CheckOnly })
}

// Summary counts the invocations, each once, but Succeeded includes Skipped. What
// had succeeded and was undone later is RolledBack: it is neither.
type Summary struct {
	Total      int `json:"total"`
	Succeeded  int `json:"succeeded"`
	Skipped    int `json:"skipped"`
	Failed     int `json:"failed"`
	Timeout    int `json:"timeout"`
	Canceled   int `json:"canceled"`
	Unfinished int `json:"unfinished"`
	RolledBack int `json:"rolled_back"`
}

// Good counts those that ended as wanted: who undid one wanted that.
func (s Summary) Good() int { return s.Succeeded + s.RolledBack }

func (r Report) Summary() Summary {
	s := Summary{Total: len(r.Invocations)}
	n := map[installer.State]int{}
	for _, inv := range r.Invocations {
		n[inv.State]++
		if inv.State == installer.Succeeded && inv.Skipped {
			s.Skipped++
		}
	}
	s.Succeeded, s.RolledBack, s.Canceled = n[installer.Succeeded], n[installer.Rollbacked], n[installer.Canceled]
	s.Failed, s.Timeout = n[installer.Failed], n[installer.Timeout]
	s.Unfinished = s.Total - s.Succeeded - s.RolledBack - s.Canceled - s.Failed - s.Timeout
	return s
}

// String is the summary as a sentence.
func (s Summary) String() string {
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

func (r Report) Render(format string) (string, error) {
	switch format {
	case "json":
		return r.json()
	case "csv":
		return r.csv()
	case "junit":
		return r.junit()
	case "table":
		return r.table()
	}
	return "", exit.Usagef("--output %q: must be table, json, csv or junit", format)
}

func (r Report) csv() (string, error) {
	var b strings.Builder
	err := invocationList.Write(&b, "csv", Pages(r.Invocations))
	return b.String(), err
}

func status(inv *installer.Invocation) string {
	if inv.State == installer.Succeeded && inv.Skipped {
		return "skipped"
	}
	return strings.ToLower(string(inv.State))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

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

// Duration is d to one digit below its unit: 0.4s, 12.3s, 4m10s.
func Duration(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", max(0, d).Seconds())
	}
	return d.Round(time.Second).String()
}

// Colon is what is said after a colon; empty: nothing.
func Colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}
