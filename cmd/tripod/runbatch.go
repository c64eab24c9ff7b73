package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plan"
)

// runFlags say how a batch is worked through.
type runFlags struct {
	Parallel    int    `default:"${parallel}" help:"Hosts worked on at once."`
	MaxFailures string `placeholder:"N|P%" help:"Take no new host once so many have failed, as a number or a percentage."`
}

// failureLimit reads --max-failures.
func (f *runFlags) failureLimit() (limit plan.FailureLimit, err error) {
	if f.MaxFailures == "" {
		return limit, nil
	}
	number, percent := strings.CutSuffix(f.MaxFailures, "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || percent && n > 100 {
		return limit, usagef("--max-failures %q: want a number from 1, or a percentage from 1%% to 100%%", f.MaxFailures)
	}
	return plan.FailureLimit{N: n, Percent: percent}, nil
}

// show prints what became of the invocations, and returns the error that
// stands for the exit code. batchID is what `tripod retry` is to be given.
func (e *engine) show(ctx context.Context, format string, how ran, batchID string, invs []installer.Invocation) error {
	ctx = context.WithoutCancel(ctx) // an interrupted run is reported too
	return e.showReport(format, how, newReport(ctx, e.client, batchID, invs))
}

// showReport is show for a report that is made already.
func (e *engine) showReport(format string, how ran, r reportOf) error {
	text, err := r.render(format)
	if err != nil {
		return err
	}
	if err := e.app.print(text); err != nil {
		return err
	}
	return e.app.verdict(r, how)
}

// showBatch is show for all of a batch.
func (e *engine) showBatch(ctx context.Context, format string, how ran, batchID string) error {
	invs, err := batchInvocations(context.WithoutCancel(ctx), e.client, batchID)
	if err != nil {
		return err
	}
	return e.show(ctx, format, how, batchID, invs)
}

// verdict says on stderr how to go on, and finds the exit code.
func (a *app) verdict(r reportOf, how ran) error {
	s := r.summary()
	undone := s.Unfinished
	if r.check || how.Daemon && how.LimitReached {
		undone += s.Canceled // what was left was dropped
	}
	switch {
	case how.interrupted && undone > 0 && (how.Daemon || how.Shared) && !r.check:
		who := "another tripod command"
		if how.Daemon {
			who = "the daemon"
		}
		a.notef("interrupted: %d of %d done, %d unfinished; %s goes on with them", s.Total-undone, s.Total, undone, who)
		a.notef("to see how it goes: %s", a.again("status", r.batchID))
		a.notef("to give up: %s", a.again("cancel", r.batchID))
		return exitWith(exitInterrupted)
	case how.interrupted && undone > 0:
		a.notef("interrupted: %d of %d done, %d unfinished", s.Total-undone, s.Total, undone)
		if !r.check {
			a.notef("what runs on hosts goes on there; to go on: the same command again, or: %s", a.again("retry", cmp.Or(r.retryIDs, r.batchID)))
			a.notef("to give up: %s", a.again("cancel", r.batchID))
		}
		return exitWith(exitInterrupted)
	case how.LimitReached && undone > 0: // one that the last host reaches has stopped nothing
		a.notef("stopped by --max-failures: %d failed, %d not tried", s.Failed+s.Timeout, undone)
		if !r.check {
			a.notef("to go on with all of them: %s", a.again("retry", cmp.Or(r.retryIDs, r.batchID)))
		}
		return exitWith(exitLimit)
	case s.well() < s.Total:
		if !r.check {
			a.notef("details: %s; to try what failed again: %s", a.again("logs", "INVOCATION|HOST"), a.again("retry", cmp.Or(r.retryIDs, r.batchID)))
		}
		return exitWith(exitHosts)
	}
	return nil
}

// again is a tripod command on the same state, ready to be copied.
func (a *app) again(command, args string) string {
	dir := ""
	switch {
	case a.daemon != nil:
		dir = a.server.flags()
	case a.stateDir != defaultStateDir():
		dir = " --state-dir " + shellQuote(a.stateDir)
	}
	if a.daemon == nil && a.project != installer.DefaultProject {
		dir += " --project " + shellQuote(a.project)
	}
	return strings.TrimSuffix(fmt.Sprintf("tripod %s%s %s", command, dir, args), " ")
}

// shellQuote quotes s for sh where it needs it.
func shellQuote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// batchInvocations returns a batch's invocations in the order of the hosts file.
func batchInvocations(ctx context.Context, c *control.Client, batchID string) ([]installer.Invocation, error) {
	page, err := c.Invocations(ctx, installer.Filter{ProjectID: c.Project(), BatchID: batchID})
	if err != nil {
		return nil, err
	}
	invs := page.Invocations
	slices.Reverse(invs) // they come newest first
	return invs, nil
}
