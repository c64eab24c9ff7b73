// Package progress tells on stderr how work on hosts goes.
package progress

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/term"
	"tripod/installer"
	"tripod/installer/plaintext"
)

const redrawEvery = 100 * time.Millisecond

// Progress of a batch: on a terminal a live block below permanent lines of the hosts
// that are done, elsewhere a line for each host's change. Workers only leave their
// events; one goroutine prints, so that a terminal that is held up holds up nobody else.
type Progress struct {
	console *term.Console
	live    bool
	verbose bool
	size    func() (columns, lines int)

	mu     sync.Mutex
	events []installer.Event

	// Of the printing goroutine alone:
	started time.Time
	total   int
	done    int // ended, earlier runs included
	counts  map[installer.State]int
	running map[string]*runningHost
}

type runningHost struct {
	label string
	step  installer.Step
	since time.Time
}

// New makes the progress of a run over a batch. live: the terminal can be redrawn;
// verbose: every step has a line.
func New(console *term.Console, live, verbose bool, head installer.BatchHead) *Progress {
	p := &Progress{
		console: console, live: live && !verbose, verbose: verbose,
		size:  func() (int, int) { return term.Size(console.To) },
		total: head.Total, done: head.Total - head.Open,
		counts: map[installer.State]int{}, running: map[string]*runningHost{},
	}
	maps.Copy(p.counts, head.ByState)
	return p
}

// Watch takes an event; it never blocks.
func (p *Progress) Watch(e installer.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
}

// Run prints until ctx is done; then it prints what is left and returns.
func (p *Progress) Run(ctx context.Context) {
	p.started = time.Now()
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.console.Draw(p.take(), p.block())
		case <-ctx.Done():
			p.console.Draw(p.take(), nil)
			return
		}
	}
}

func (p *Progress) take() []string {
	p.mu.Lock()
	events := p.events
	p.events = nil
	p.mu.Unlock()
	var lines []string
	for _, e := range events {
		if line := p.apply(e); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func (p *Progress) apply(e installer.Event) string {
	id, label := e.InvocationID, plaintext.Line(e.Host.Label())
	host := p.running[id]
	switch {
	case e.End != nil:
		delete(p.running, id)
		return p.ended(e, label, host)
	case e.Step != "":
		if host != nil {
			host.step = e.Step
		}
		if p.verbose {
			return fmt.Sprintf("%s %s: %s", p.position(), label, e.Step)
		}
	default:
		p.running[id] = &runningHost{label: label, since: e.At}
		if !p.live {
			return fmt.Sprintf("%s %s: started", p.position(), label)
		}
	}
	return ""
}

func (p *Progress) ended(e installer.Event, label string, host *runningHost) string {
	end, took := e.End, ""
	if host != nil {
		took = " (" + report.Duration(e.At.Sub(host.since)) + ")"
	}
	message := plaintext.Line(end.Message)
	switch {
	case end.State.Terminal():
		p.done++
		p.counts[end.State]++
		word := strings.ToLower(string(end.State))
		if end.Skipped {
			word = "skipped"
		}
		if end.Kind != "" && end.Kind != installer.KindCanceled {
			word += " " + string(end.Kind)
		}
		return fmt.Sprintf("%s %s: %s%s%s", p.position(), label, word, took, report.Colon(message))
	case end.EndAttempt:
		wait := report.Duration(end.NotBefore.Sub(e.At))
		return fmt.Sprintf("%s %s: %s, retrying in %s%s", p.position(), label, end.Kind, wait, report.Colon(message))
	}
	return fmt.Sprintf("%s %s: interrupted", p.position(), label)
}

func (p *Progress) position() string {
	n := len(fmt.Sprint(p.total))
	return fmt.Sprintf("[%*d/%d]", n, p.done, p.total)
}

// block is the live block: one line of counts, then the hosts that have been
// running longest, as many as the screen has room for.
func (p *Progress) block() []string {
	if !p.live {
		return nil
	}
	columns, rows := p.size()
	now := time.Now()
	waiting := max(0, p.total-p.done-len(p.running))
	failed := p.counts[installer.Failed] + p.counts[installer.Timeout]
	lines := []string{fmt.Sprintf("%s %d succeeded, %d failed, %d running, %d waiting, %s",
		p.position(), p.counts[installer.Succeeded], failed, len(p.running), waiting, report.Duration(now.Sub(p.started)))}

	hosts := slices.SortedFunc(maps.Values(p.running), func(a, b *runningHost) int {
		return cmp.Or(a.since.Compare(b.since), strings.Compare(a.label, b.label))
	})
	room := min(10, max(1, rows/2))
	for i, h := range hosts {
		if i == room && len(hosts) > room {
			lines = append(lines, fmt.Sprintf("  … and %d more", len(hosts)-room))
			break
		}
		lines = append(lines, fmt.Sprintf("  %-8s %6s  %s", cmp.Or(h.step, installer.StepConnect), report.Duration(now.Sub(h.since)), h.label))
	}
	for i, line := range lines {
		lines[i] = clip(line, columns-1)
	}
	return lines
}

// clip cuts s to n columns, so that a line of the block stays one line. It
// errs on the safe side: what may be wide counts as wide.
func clip(s string, n int) string {
	used := 0
	for i, r := range s {
		if used++; r >= 0x1100 {
			used++
		}
		if used > n {
			return s[:i]
		}
	}
	return s
}
