package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tripod/installer"
	"tripod/installer/plaintext"
)

// redrawEvery bounds how often the live block is drawn.
const redrawEvery = 100 * time.Millisecond

// progress tells on stderr how a run goes: on a terminal with a live block
// under permanent lines of the hosts that are done, elsewhere with a line for
// each host's change. Workers only leave their events; one goroutine prints,
// so that a terminal that is held up holds up nobody else.
type progress struct {
	con     *console
	live    bool
	verbose bool
	size    func() (columns, lines int)
	now     func() time.Time

	mu     sync.Mutex
	events []installer.Event
	more   chan struct{}

	// Of the printing goroutine alone:
	started time.Time
	total   int
	done    int // ended, earlier runs included
	counts  map[installer.State]int
	again   int
	running map[string]*runningHost
}

type runningHost struct {
	label string
	step  installer.Step
	since time.Time
}

// newProgress makes the progress of a run over a batch of which head is known.
func newProgress(a *app, head installer.BatchHead) *progress {
	p := &progress{
		con:     a.stderr,
		live:    a.live && !a.verbose,
		verbose: a.verbose,
		size:    func() (int, int) { return screenSize(a.stderr.to) },
		now:     time.Now,
		more:    make(chan struct{}, 1),
		total:   head.Total,
		done:    head.Total - head.Open,
		counts:  map[installer.State]int{},
		running: map[string]*runningHost{},
	}
	for state, n := range head.ByState {
		if state.Terminal() {
			p.counts[state] = n
		}
	}
	return p
}

// watch takes an event; it never blocks.
func (p *progress) watch(e installer.Event) {
	p.mu.Lock()
	p.events = append(p.events, e)
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// run prints until ctx is done; then it prints what is left and returns.
func (p *progress) run(ctx context.Context) {
	p.started = p.now()
	var tick <-chan time.Time
	if p.live {
		ticker := time.NewTicker(redrawEvery)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-p.more:
			if !p.live {
				p.con.draw(p.take(), nil)
			}
		case <-tick:
			p.con.draw(p.take(), p.block())
		case <-ctx.Done():
			p.con.draw(p.take(), nil)
			return
		}
	}
}

// take works through the waiting events and returns the lines that they give.
func (p *progress) take() []string {
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

// apply changes the model by one event and returns its permanent line, if it has one.
func (p *progress) apply(e installer.Event) string {
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
			return fmt.Sprintf("%s %s: %s", p.tally(), label, e.Step)
		}
	default:
		p.running[id] = &runningHost{label: label, since: e.At}
		if !p.live {
			return fmt.Sprintf("%s %s: started", p.tally(), label)
		}
	}
	return ""
}

// ended is the line of an attempt's end.
func (p *progress) ended(e installer.Event, label string, host *runningHost) string {
	t, took := e.End, ""
	if host != nil {
		took = " (" + shortDuration(e.At.Sub(host.since)) + ")"
	}
	message := plaintext.Line(t.Message)
	switch {
	case t.State.Terminal():
		p.done++
		p.counts[t.State]++
		word := strings.ToLower(string(t.State))
		if t.Skipped {
			word = "skipped"
		}
		if t.Kind != "" && t.Kind != installer.KindCanceled {
			word += " " + string(t.Kind)
		}
		return fmt.Sprintf("%s %s: %s%s%s", p.tally(), label, word, took, colon(message))
	case t.EndAttempt:
		p.again++
		wait := shortDuration(t.NotBefore.Sub(e.At))
		return fmt.Sprintf("%s %s: %s, again in %s%s", p.tally(), label, t.Kind, wait, colon(message))
	}
	return fmt.Sprintf("%s %s: interrupted", p.tally(), label)
}

func colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

func (p *progress) tally() string {
	n := len(fmt.Sprint(p.total))
	return fmt.Sprintf("[%*d/%d]", n, p.done, p.total)
}

// block is the live block: one line of counts, then the hosts that have been
// running longest, as many as the screen has room for.
func (p *progress) block() []string {
	columns, rows := p.size()
	now := p.now()
	waiting := max(0, p.total-p.done-len(p.running))
	failed := p.counts[installer.Failed] + p.counts[installer.Timeout]
	lines := []string{fmt.Sprintf("%s %d succeeded, %d failed, %d running, %d waiting, %s",
		p.tally(), p.counts[installer.Succeeded], failed, len(p.running), waiting, shortDuration(now.Sub(p.started)))}

	hosts := make([]*runningHost, 0, len(p.running))
	for _, h := range p.running {
		hosts = append(hosts, h)
	}
	slices.SortFunc(hosts, func(a, b *runningHost) int {
		if c := a.since.Compare(b.since); c != 0 {
			return c
		}
		return strings.Compare(a.label, b.label)
	})
	room := min(10, max(1, rows/2))
	for i, h := range hosts {
		if i == room && len(hosts) > room {
			lines = append(lines, fmt.Sprintf("  … and %d more", len(hosts)-room))
			break
		}
		step := h.step
		if step == "" {
			step = installer.StepConnect
		}
		lines = append(lines, fmt.Sprintf("  %-8s %6s  %s", step, shortDuration(now.Sub(h.since)), h.label))
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

// shortDuration is d to one digit below its unit: 0.4s, 12.3s, 4m10s.
func shortDuration(d time.Duration) string {
	switch {
	case d < 0:
		return "0.0s"
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}
