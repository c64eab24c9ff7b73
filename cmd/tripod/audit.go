package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/control"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" default:"withargs" help:"Show who did what on which hosts, when, and with which result."`
	Verify auditVerifyCmd `cmd:"" help:"Verify that the log is complete and unchanged."`
	Prune  auditPruneCmd  `cmd:"" help:"Delete old entries."`
}

type auditListCmd struct {
	Since string `placeholder:"TIME" help:"Only entries from TIME on: 2026-05-01, 2026-05-01T12:00:00Z, or 24h for the last day."`
	listFlag
}

// auditList: the table is for people, and has one column for what an entry is about.
var auditList = report.List[installer.AuditEntry]{Name: "entries", Columns: []report.Column[installer.AuditEntry]{
	{Name: "number", Of: func(e installer.AuditEntry) any { return e.Number }},
	{Name: "at", Of: func(e installer.AuditEntry) any { return e.At }},
	{Name: "project_id", Of: func(e installer.AuditEntry) any { return e.Project }},
	{Name: "action", Of: func(e installer.AuditEntry) any { return e.Action }},
	{Name: "by", Of: func(e installer.AuditEntry) any { return e.By }},
	{Name: "subject", Of: func(e installer.AuditEntry) any { return auditSubject(e) }, In: report.Table},
	{Name: "type", Of: func(e installer.AuditEntry) any { return e.Type }, In: report.CSV},
	{Name: "subject", Of: func(e installer.AuditEntry) any { return e.Subject }, In: report.CSV},
	{Name: "detail", Of: func(e installer.AuditEntry) any { return e.Detail }, In: report.CSV},
	{Name: "outcome", Of: func(e installer.AuditEntry) any { return e.Outcome }, In: report.CSV},
	{Name: "kind", Of: func(e installer.AuditEntry) any { return e.Kind }, In: report.CSV},
	{Name: "hosts", Of: func(e installer.AuditEntry) any { return auditHosts(e) }, In: report.CSV},
	{Name: "batch_id", Of: func(e installer.AuditEntry) any { return e.Batch }, In: report.CSV},
	{Name: "invocation_id", Of: func(e installer.AuditEntry) any { return e.Invocation }, In: report.CSV},
}}

func auditHosts(e installer.AuditEntry) (all []string) {
	for _, h := range e.Hosts {
		all = append(all, h.ID+" "+h.At)
	}
	return all
}

func auditSubject(e installer.AuditEntry) string {
	parts := []string{string(e.Type), e.Subject, e.Detail, string(e.Outcome), string(e.Kind)}
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
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}

func (c *auditListCmd) Run(ctx context.Context, s *session.Session) error {
	since, err := parseSince("--since", c.Since, time.Now())
	if err != nil {
		return err
	}
	return auditList.Write(s.Stdout, c.Output, auditPages(ctx, s, installer.AuditFilter{Project: s.Flags.Project, Since: since, Limit: 1000}))
}

// auditPages reads the log page by page: it does not have to fit into memory, and others
// have the folder in between.
func auditPages(ctx context.Context, s *session.Session, f installer.AuditFilter) iter.Seq2[[]installer.AuditEntry, error] {
	return func(yield func([]installer.AuditEntry, error) bool) {
		for {
			entries, err := session.Ask(ctx, s, control.ListAudit, f)
			if !yield(entries, err) || err != nil || len(entries) == 0 {
				return
			}
			f.After = entries[len(entries)-1].Number
		}
	}
}

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
	return time.Time{}, exit.Usagef("%s: must be a day (2026-05-01), a time (2026-05-01T12:00:00Z) or how long ago (24h)", flag)
}

type auditVerifyCmd struct {
	Anchor []string `placeholder:"NUMBER:HASH" help:"Earlier end of the log, as verify prints it and the daemon logs it: it must still be part of the log."`
	textFlag
}

// Run checks the chain. Exit code 1: it is not in order.
func (c *auditVerifyCmd) Run(ctx context.Context, s *session.Session) error {
	anchors := make([]installer.AuditAnchor, len(c.Anchor))
	for i, text := range c.Anchor {
		number, hash, _ := strings.Cut(text, ":")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil || len(hash) != 64 {
			return exit.Usagef("--anchor: must be NUMBER:HASH, as `tripod audit verify` prints it")
		}
		anchors[i] = installer.AuditAnchor{Number: n, Hash: hash}
	}
	found, err := session.Ask(ctx, s, control.VerifyAudit, control.Anchors{Anchors: anchors})
	if err != nil {
		return err
	}
	if err := c.print(s, found, auditReport(found)); err != nil {
		return err
	}
	if found.FaultCount > 0 {
		s.Notef("the audit log is NOT in order: keep a copy of the state folder, and find out who could write to it")
		return exit.With(exit.Hosts)
	}
	return nil
}

func auditReport(found installer.AuditReport) string {
	var b strings.Builder
	for _, f := range found.Faults {
		fmt.Fprintln(&b, f)
	}
	if more := found.FaultCount - len(found.Faults); more > 0 {
		fmt.Fprintf(&b, "… and %d more faults\n", more)
	}
	if found.FaultCount == 0 {
		fmt.Fprintf(&b, "in order: %d entries, from %d\n", found.Last-found.First+1, found.First)
	}
	fmt.Fprintf(&b, "anchor: %s\n", found.Anchor)
	return b.String()
}

type auditPruneCmd struct {
	Before string `required:"" placeholder:"TIME" help:"Delete the entries before TIME: a day, a time, or 8760h for all that are older than a year."`
}

// Run deletes old entries. That is an entry too.
func (c *auditPruneCmd) Run(ctx context.Context, s *session.Session) error {
	if s.Flags.Project != "" {
		return exit.UsageError(errors.New("the audit log is one chain of all projects: --project cannot be given"), "leave --project (TRIPOD_PROJECT) out, to delete the old entries of all projects")
	}
	before, err := parseSince("--before", c.Before, time.Now())
	if err != nil {
		return err
	}
	return s.Change(ctx, func(client *control.Client) error {
		n, err := control.PruneAudit.Call(ctx, client, control.Before{Before: before})
		if err != nil {
			return err
		}
		s.Notef("deleted %d entries of the audit log", n)
		return nil
	})
}
