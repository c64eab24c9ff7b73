package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plaintext"
)

type statusCmd struct {
	ID    string `arg:"" optional:"" help:"A batch, an invocation, or a host of the newest batches."`
	Limit int    `short:"n" default:"20" help:"How many batches to list."`
	outputFlag
}

// Help is shown by `tripod status --help`.
func (statusCmd) Help() string {
	return `Without ID: the newest batches. With a batch's ID its hosts, with an
invocation's ID or a host's address the steps that were done there.`
}

// Run shows what is stored.
func (c *statusCmd) Run(ctx context.Context, a *app) error {
	if c.Limit < 1 {
		return usagef("--limit: must be at least 1")
	}
	var text string
	err := a.look(ctx, func(from *control.Client) (err error) {
		text, err = c.text(ctx, from)
		return err
	})
	if err != nil {
		return err
	}
	return a.print(text)
}

func (c *statusCmd) text(ctx context.Context, l *control.Client) (string, error) {
	if c.ID == "" {
		heads, err := l.Batches(ctx, l.Project(), c.Limit)
		if err != nil {
			return "", err
		}
		return batchList(heads, c.Output)
	}
	if _, err := l.Batch(ctx, l.Project(), c.ID); err == nil {
		invs, err := batchInvocations(ctx, l, c.ID)
		if err != nil {
			return "", err
		}
		return newReport(ctx, l, c.ID, invs).render(c.Output)
	} else if !errors.Is(err, installer.ErrNotFound) {
		return "", err
	}
	inv, err := findInvocation(ctx, l, c.ID)
	if err != nil {
		return "", err
	}
	if c.Output == "table" {
		return invocationDetails(&inv), nil
	}
	return newReport(ctx, l, inv.BatchID, []installer.Invocation{inv}).render(c.Output)
}

// batchList renders the heads, newest first.
func batchList(heads []installer.BatchHead, format string) (string, error) {
	switch format {
	case "json":
		if heads == nil {
			heads = []installer.BatchHead{}
		}
		return marshal(map[string]any{"batches": heads})
	case "table":
	default:
		return "", usagef("the list of batches is printed as --output table or json")
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "BATCH\tCREATED\tHOSTS\tSUCCEEDED\tFAILED\tUNFINISHED\tROLLED BACK\tFROM")
	for _, h := range heads {
		n := h.ByState
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", h.ID, h.Created.Local().Format(time.DateTime), h.Total,
			n[installer.Succeeded], n[installer.Failed]+n[installer.Timeout]+n[installer.Canceled], h.Open, n[installer.Rollbacked], plaintext.Line(h.Source))
	}
	_ = w.Flush()
	return b.String(), nil
}

// invocationDetails shows one invocation with every step of every attempt.
func invocationDetails(inv *installer.Invocation) string {
	var b strings.Builder
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-11s %s\n", name, plaintext.Line(value))
		}
	}
	row("host", inv.Host.Label())
	row("invocation", inv.ID)
	row("batch", inv.BatchID)
	row("type", string(inv.Type))
	row(strings.ToLower(string(inv.Type))+" of", inv.Of)
	row("status", word(inv))
	row("kind", string(inv.Kind))
	row("message", inv.Message)
	row("hint", inv.Kind.Hint())
	row("version", agentVersion(inv))
	if inv.ExitCode != nil {
		row("exit code", fmt.Sprint(*inv.ExitCode))
	}
	if inv.State == installer.Pending && !inv.NotBefore.IsZero() {
		row("not before", inv.NotBefore.Local().Format(time.DateTime))
	}
	for _, a := range inv.Attempts {
		end := "goes on"
		if !a.Ended.IsZero() {
			end = shortDuration(attemptTook(a))
		}
		fmt.Fprintf(&b, "\nattempt %d  %s  %s", a.Number, a.Started.Local().Format(time.DateTime), end)
		if a.Kind != "" {
			fmt.Fprintf(&b, "  %s%s", a.Kind, colon(plaintext.Line(a.Message)))
		}
		b.WriteString("\n")
		for _, s := range a.Steps {
			line := fmt.Sprintf("  %-8s %7s  %s  %s", s.Step, shortDuration(s.Duration), s.Kind, plaintext.Line(s.Note))
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	return b.String()
}
