package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plan"
)

// againFlags are those of retry and rollback.
type againFlags struct {
	fileFlags
	knownHostsFlag
	runFlags
	outputFlag
}

// followUp is a retry or a rollback, as it is worked through.
type followUp struct {
	*engine
	control.Planned
	ids   string   // that the user named
	fresh []string // the batch that it made
}

// run retries or rolls back what ids name.
func (f *againFlags) run(ctx context.Context, a *app, task installer.Type, ids []string) error {
	command := strings.ToLower(string(task))
	req := a.newRequest(task, command+" of "+strings.Join(ids, " "))
	req.Of = ids
	var err error
	if req.MaxFailures, err = f.failureLimit(); err != nil {
		return err
	}
	if err := f.logins(ctx, a, &req); err != nil {
		return err
	}
	e, err := f.openEngine(ctx, a, f.knownHosts())
	if err != nil {
		return err
	}
	return e.closing(func() error {
		w := followUp{engine: e, ids: strings.Join(ids, " ")}
		w.Planned, err = e.submit(ctx, req)
		if _, ok := errors.AsType[*plan.MissingCredentials](err); ok {
			return usageError(err, fmt.Sprintf("give the logins again: tripod %s %s -f HOSTS, or with --ask-pass, --password-file or --identity", command, w.ids))
		}
		if _, ok := errors.AsType[installer.Faults](err); ok {
			return usageError(err, "see `tripod status "+w.ids+"`")
		}
		if err != nil {
			return err
		}
		if w.Batch != nil {
			w.fresh = []string{w.Batch.ID}
		}
		return w.finish(ctx, f.Output, task)
	})
}

// logins puts into the request those that the command was given, if any.
func (f *fileFlags) logins(ctx context.Context, a *app, req *plan.Request) error {
	if len(f.File) > 0 {
		t, err := f.read(ctx, a, nil)
		req.Hosts = t.entries
		return err
	}
	acc, err := f.resolve(ctx)
	if err != nil {
		return err
	}
	creds := installer.Credentials{Login: acc.login, SudoPassword: acc.sudoPassword, Via: acc.viaLogins}
	if creds.Login.IsZero() {
		return nil
	}
	req.ForAll = &installer.HostEntry{Host: installer.Host{Via: acc.via}, Credentials: creds}
	if f.User != defaultUser {
		req.ForAll.Host.User = f.User
	}
	return nil
}

// finish works through what there is to do, and shows what became of it. Hosts that
// are left as they are are no success.
func (w *followUp) finish(ctx context.Context, format string, task installer.Type) error {
	for _, item := range w.of(plan.Refused) {
		w.app.notef("left alone: %s: %s", item.Where, item.Refused)
	}
	how, invs, err := w.work(ctx)
	if err != nil {
		return err
	}
	failed := slices.ContainsFunc(w.Items, func(i control.PlannedItem) bool { return i.Failed })
	if len(w.fresh)+len(w.of(plan.Open)) == 0 {
		for _, item := range w.of(plan.Done) {
			invs = append(invs, item.Invocation)
		}
		w.app.notef("nothing to do: %s", w.done(task))
	}
	if err := w.showReport(format, how, w.report(ctx, task, invs)); err != nil || !failed {
		return err
	}
	return exitWith(exitHosts)
}

func (w *followUp) of(standing plan.Standing) []control.PlannedItem {
	return slices.DeleteFunc(slices.Clone(w.Items), func(i control.PlannedItem) bool { return i.Standing != standing })
}

// done says how what was named has ended well.
func (w *followUp) done(task installer.Type) string {
	n, left := len(w.of(plan.Done)), 0
	for _, item := range w.Items {
		if item.Failed {
			left++
		}
	}
	switch {
	case task == installer.Rollback:
		return fmt.Sprintf("%d have been rolled back", n)
	case left > 0:
		return fmt.Sprintf("%d have succeeded, and %d cannot be retried", n, left)
	}
	return fmt.Sprintf("all %d have succeeded", n)
}

// work works on what is under way and on the new batch, and returns what became of
// all of it.
func (w *followUp) work(ctx context.Context) (how ran, invs []installer.Invocation, err error) {
	for _, what := range w.runs() {
		if how, err = w.runBatch(ctx, what, w.Limit); err != nil {
			return how, nil, err
		}
		if how.interrupted || how.LimitReached {
			break
		}
	}
	ctx = context.WithoutCancel(ctx)
	for _, item := range w.of(plan.Open) {
		inv, err := w.client.Invocation(ctx, w.app.project, item.Invocation.ID)
		if err != nil {
			return how, nil, err
		}
		invs = append(invs, inv)
	}
	for _, id := range w.fresh {
		more, err := batchInvocations(ctx, w.client, id)
		if err != nil {
			return how, nil, err
		}
		invs = append(invs, more...)
	}
	return how, invs, nil
}

// runs are batches, each once, and invocations that were named themselves.
func (w *followUp) runs() []installer.ClaimFilter {
	var runs []installer.ClaimFilter
	for _, item := range w.of(plan.Open) {
		whole := installer.ClaimFilter{BatchID: item.Invocation.BatchID}
		if !item.Alone && !slices.Contains(runs, whole) {
			runs = append(runs, whole)
		}
	}
	for _, item := range w.of(plan.Open) {
		whole := installer.ClaimFilter{BatchID: item.Invocation.BatchID}
		if item.Alone && !slices.Contains(runs, whole) {
			whole.InvocationID = item.Invocation.ID
			runs = append(runs, whole)
		}
	}
	for _, id := range w.fresh {
		runs = append(runs, installer.ClaimFilter{BatchID: id})
	}
	return runs
}

// report is of the batch that was named for a retry. Where that is not the one thing
// that was, and for a rollback, it is of the batch that does the work.
func (w *followUp) report(ctx context.Context, task installer.Type, invs []installer.Invocation) reportOf {
	alone := slices.ContainsFunc(w.Items, func(i control.PlannedItem) bool { return i.Alone })
	id := w.ids
	if task == installer.Rollback || alone || strings.Contains(w.ids, " ") {
		batches := w.fresh
		for _, standing := range []plan.Standing{plan.Open, plan.Done} {
			for _, item := range w.of(standing) {
				batches = append(batches, item.Invocation.BatchID)
			}
		}
		if id = batches[0]; len(w.fresh)+len(w.of(plan.Open)) == 0 && task == installer.Rollback {
			id = w.ids
		}
	}
	r := newReport(context.WithoutCancel(ctx), w.client, id, invs)
	if task == installer.Retry {
		r.retryIDs = w.ids
	}
	return r
}
