package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plaintext"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" default:"withargs" help:"Show who did what on which hosts, when, and how it ended."`
	Verify auditVerifyCmd `cmd:"" help:"Check that the log is whole and unaltered."`
	Prune  auditPruneCmd  `cmd:"" help:"Drop old entries."`
}

// auditPage is how many entries are held in memory.
const auditPage = 1000

type auditListCmd struct {
	Since string `placeholder:"TIME" help:"Only entries from TIME on: 2026-05-01, 2026-05-01T12:00:00Z, or 24h for the last day."`
	tableFlag
}

// Run shows entries, the oldest first.
func (c *auditListCmd) Run(ctx context.Context, a *app) error {
	since, err := parseSince("--since", c.Since, time.Now())
	if err != nil {
		return err
	}
	return a.look(ctx, func(l *control.Client) error {
		f := installer.AuditFilter{Project: a.onlyProject, Since: since, Limit: auditPage}
		show := auditTable
		switch c.Output {
		case "json":
			show = auditJSON
		case "csv":
			show = auditCSV
		}
		return show(a, func() ([]installer.AuditEntry, error) {
			entries, err := l.Audit(ctx, f)
			if len(entries) > 0 {
				f.After = entries[len(entries)-1].Number
			}
			return entries, err
		})
	})
}

// parseSince reads a day, a time, or how long ago.
func parseSince(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly, time.DateTime} {
		if at, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usagef("%s: want a day (2026-05-01), a time (2026-05-01T12:00:00Z) or how long ago (24h)", flag)
}

// auditTable prints a line per entry as they come: a log has no end to wait for.
func auditTable(a *app, next func() ([]installer.AuditEntry, error)) error {
	const form = "%-7s  %-19s  %-12s  %-15s  %-20s  %s\n"
	if err := a.print(fmt.Sprintf(form, "NUMBER", "TIME", "PROJECT", "ACTION", "BY", "WHAT")); err != nil {
		return err
	}
	for {
		entries, err := next()
		if err != nil || len(entries) == 0 {
			return err
		}
		var b strings.Builder
		for _, e := range entries {
			fmt.Fprintf(&b, form, strconv.FormatUint(e.Number, 10), e.At.Local().Format(time.DateTime),
				plaintext.Line(e.Project), e.Action, plaintext.Line(e.By), plaintext.Line(auditWhat(e)))
		}
		if err := a.print(b.String()); err != nil {
			return err
		}
	}
}

// auditWhat is what an entry is about, on one line.
func auditWhat(e installer.AuditEntry) string {
	parts := []string{}
	for _, p := range []string{string(e.Type), e.Subject, e.Detail, string(e.Outcome), string(e.Kind)} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	switch n := len(e.Hosts); n {
	case 0:
	case 1:
		parts = append(parts, e.Hosts[0].ID, e.Hosts[0].At)
	default:
		parts = append(parts, fmt.Sprintf("%d hosts, %s … %s", n, e.Hosts[0].At, e.Hosts[n-1].At))
	}
	if e.Invocation != "" {
		parts = append(parts, e.Invocation)
	} else if e.Batch != "" {
		parts = append(parts, "batch "+e.Batch)
	}
	return strings.Join(parts, " ")
}

// auditColumns are the CSV's; new ones go to the end.
var auditColumns = []string{"number", "at", "project_id", "action", "by", "type", "subject", "detail", "outcome", "kind",
	"hosts", "batch_id", "invocation_id"}

// auditCSV prints a row per entry as they come. Several hosts of one are
// separated by semicolons.
func auditCSV(a *app, next func() ([]installer.AuditEntry, error)) error {
	header := auditColumns
	for {
		entries, err := next()
		if err != nil || len(entries) == 0 && header == nil {
			return err
		}
		err = printCSV(a, entries, header, func(e installer.AuditEntry) []string {
			hosts := make([]string, len(e.Hosts))
			for i, h := range e.Hosts {
				hosts[i] = h.ID + " " + h.At
			}
			return []string{
				strconv.FormatUint(e.Number, 10), csvTime(e.At), e.Project, string(e.Action), e.By, string(e.Type), e.Subject, e.Detail,
				string(e.Outcome), string(e.Kind), strings.Join(hosts, ";"), e.Batch, e.Invocation,
			}
		})
		if err != nil || len(entries) == 0 {
			return err
		}
		header = nil
	}
}

// auditJSON prints one document, an entry a line.
func auditJSON(a *app, next func() ([]installer.AuditEntry, error)) error {
	before := "{\"entries\":["
	for {
		entries, err := next()
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			if strings.HasPrefix(before, ",") {
				before = ""
			}
			return a.print(before + "\n]}\n")
		}
		var b strings.Builder
		for _, e := range entries {
			text, err := json.Marshal(e)
			if err != nil {
				return err
			}
			b.WriteString(before + "\n" + escapedJSON(string(text)))
			before = ","
		}
		if err := a.print(b.String()); err != nil {
			return err
		}
	}
}

type auditVerifyCmd struct {
	Anchor []string `placeholder:"NUMBER:HASH" help:"An end of the log that was noted elsewhere before (verify prints it, the daemon logs it): it must still be there."`
	documentFlag
}

// Run checks the chain. Exit code 1: it is not in order.
func (c *auditVerifyCmd) Run(ctx context.Context, a *app) error {
	anchors := make([]installer.AuditAnchor, len(c.Anchor))
	for i, text := range c.Anchor {
		number, hash, _ := strings.Cut(text, ":")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil || len(hash) != 64 {
			return usagef("--anchor: want NUMBER:HASH, as `tripod audit verify` prints it")
		}
		anchors[i] = installer.AuditAnchor{Number: n, Hash: hash}
	}
	var report installer.AuditReport
	err := a.look(ctx, func(l *control.Client) (err error) {
		report, err = l.VerifyAudit(ctx, anchors...)
		return err
	})
	if err != nil {
		return inputOrStorage(err)
	}
	if err := c.show(a, report); err != nil {
		return err
	}
	if report.FaultCount > 0 {
		a.notef("the audit log is NOT in order: keep a copy of the state folder, and find out who could write to it")
		return exitWith(exitHosts)
	}
	return nil
}

func (c *auditVerifyCmd) show(a *app, report installer.AuditReport) error {
	if c.Output == "json" {
		text, err := marshal(report)
		if err != nil {
			return err
		}
		return a.print(text)
	}
	var b strings.Builder
	for _, f := range report.Faults {
		fmt.Fprintln(&b, f)
	}
	if more := report.FaultCount - len(report.Faults); more > 0 {
		fmt.Fprintf(&b, "… and %d more faults\n", more)
	}
	if report.FaultCount == 0 {
		fmt.Fprintf(&b, "in order: %d entries, from %d\n", report.Last-report.First+1, report.First)
	}
	fmt.Fprintf(&b, "anchor: %s\n", report.Anchor)
	return a.print(b.String())
}

type auditPruneCmd struct {
	Before string `required:"" placeholder:"TIME" help:"Drop the entries before TIME: a day, a time, or 8760h for all that are older than a year."`
}

// Run drops old entries. That is an entry too.
func (c *auditPruneCmd) Run(ctx context.Context, a *app) error {
	if a.onlyProject != "" {
		return usageError(errors.New("the audit log is one chain of all projects: it does not go with --project"), "leave --project (TRIPOD_PROJECT) out, to drop the old entries of all of them")
	}
	before, err := parseSince("--before", c.Before, time.Now())
	if err != nil {
		return err
	}
	return a.change(ctx, func(l *control.Client) error {
		n, err := l.PruneAudit(ctx, before)
		if err != nil {
			return inputOrStorage(err)
		}
		a.notef("dropped %d entries of the audit log", n)
		return nil
	})
}
