package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/flags"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plan"
)

type followUpFlags struct {
	flags.HostsFiles
	flags.KnownHosts
	session.RunFlags
	reportFlag
}

type retryCmd struct {
	ID []string `arg:"" name:"id" help:"Batches, invocations, or hosts of the inventory: the newest task of each."`
	followUpFlags
}

func (retryCmd) Help() string {
	return `Resumes what is unfinished, and starts a new batch for what failed, timed out or
was canceled: of a whole batch, or only of the invocations that are named. Hosts that
are done are not touched. The credentials of the batch are used as long as they are
stored (24 hours); new ones are given as for install, with -f, --ask-pass or
--identity.

Examples:
  tripod retry BATCH
  tripod retry INVOCATION INVOCATION -f hosts.txt
  tripod retry 10.0.0.7`
}

func (c *retryCmd) Run(ctx context.Context, s *session.Session) error {
	return c.run(ctx, s, installer.Retry, c.ID)
}

type rollbackCmd struct {
	ID string `arg:"" help:"A batch, an invocation, or a host of the inventory: the last change of it."`
	followUpFlags
}

func (rollbackCmd) Help() string {
	return `Reverts what a batch, or one invocation, has changed: hosts that were updated get
their previous version back, from the copy that is kept on them, and where the agent was
new it is uninstalled. No package and no network are needed. Hosts on which nothing was
changed are left as they are, and so are those that a later task has changed: roll that
one back first, or, where it cannot be rolled back (a script of your own), install
the version that you want. Logins are given as for retry.

Example:
  tripod rollback BATCH -f hosts.txt
  tripod rollback web-1`
}

func (c *rollbackCmd) Run(ctx context.Context, s *session.Session) error {
	return c.run(ctx, s, installer.Rollback, []string{c.ID})
}

// followUp is a retry or a rollback, as it is worked through.
type followUp struct {
	*session.Job
	control.Planned
	task installer.Type
	ids  string // of what the user named
}

func (f *followUpFlags) run(ctx context.Context, s *session.Session, task installer.Type, ids []string) error {
	command := strings.ToLower(string(task))
	w := followUp{task: task, ids: strings.Join(ids, " ")}
	req, err := f.NewRequest(s, task, command+" of "+w.ids)
	if err != nil {
		return err
	}
	if err := f.Logins(ctx, s, &req); err != nil {
		return err
	}
	return s.Work(ctx, f.RunFlags, f.KnownHosts.Files(), func(j *session.Job) error {
		w.Job = j
		for _, name := range ids {
			id, err := taskCalled(ctx, j.Client, task, name)
			if err != nil {
				return err
			}
			req.Of = append(req.Of, id)
		}
		w.ids = strings.Join(req.Of, " ")
		w.Planned, err = j.Submit(ctx, req)
		if _, ok := errors.AsType[*plan.MissingCredentials](err); ok {
			return exit.UsageError(err, fmt.Sprintf("give the logins again: tripod %s %s -f HOSTS, or with --ask-pass, --password-file or --identity", command, w.ids))
		}
		if _, ok := errors.AsType[installer.Faults](err); ok {
			return exit.UsageError(err, "see `tripod status "+w.ids+"`")
		}
		if err != nil {
			return err
		}
		return w.finish(ctx, f.Output)
	})
}

// taskCalled is the id of a batch or an invocation. A host stands for its newest task, which is no check: of a
// ROLLBACK the last that has changed the host, so that a second one undoes nothing more.
func taskCalled(ctx context.Context, c *control.Client, task installer.Type, name string) (string, error) {
	if _, err := control.GetBatch.Call(ctx, c, control.ID{ID: name}); !errors.Is(err, installer.ErrNotFound) {
		return name, err
	}
	if _, err := control.GetInvocation.Call(ctx, c, control.ID{ID: name}); !errors.Is(err, installer.ErrNotFound) {
		return name, err
	}
	h, err := flags.FindHost(ctx, c, name)
	if errors.Is(err, flags.ErrNoHost) {
		return name, nil // the planner says what it was looked for as
	}
	if err != nil {
		return "", err
	}
	all, err := c.InvocationsOn(ctx, h.ID)
	if err != nil {
		return "", err
	}
	is, what := changed, "has changed the host"
	if task == installer.Retry {
		is, what = func(inv *installer.Invocation) bool { return !inv.Spec.CheckOnly }, "was on the host, apart from checks"
	}
	for i := range all {
		if is(&all[i]) {
			return all[i].ID, nil
		}
	}
	return "", exit.UsageError(fmt.Errorf("%s: no %s: no task of this project %s", name, task, what), "see `tripod status`")
}

// changed: what the invocation did to its host counts for a ROLLBACK, or for why there is none.
func changed(inv *installer.Invocation) bool {
	return inv.State.Good() && (inv.ChangedHost() || inv.Task() == installer.Configure && !inv.Skipped)
}

// finish works through what there is to do, and shows what became of it. Hosts that
// cannot be retried are no success.
func (w *followUp) finish(ctx context.Context, format string) error {
	for _, item := range w.of(plan.Refused) {
		w.Notef("left as it is: %s: %s", item.Where, item.Refused)
	}
	how, invs, err := w.work(ctx)
	if err != nil {
		return err
	}
	if w.nothingToDo() {
		for _, item := range w.of(plan.Done) {
			invs = append(invs, item.Invocation)
		}
		w.Notef("nothing to do: %d hosts are done already", len(invs))
	}
	r := session.Report(context.WithoutCancel(ctx), w.Client, w.reportID(), invs)
	if w.task == installer.Retry {
		r.Retry = w.ids
	}
	err = w.Show(format, how, r)
	if err == nil && slices.ContainsFunc(w.Items, func(i plan.Item) bool { return i.Failed }) {
		err = exit.With(exit.Hosts)
	}
	return err
}

func (w *followUp) of(standing plan.Standing) []plan.Item {
	return slices.DeleteFunc(slices.Clone(w.Items), func(i plan.Item) bool { return i.Standing != standing })
}

func (w *followUp) nothingToDo() bool { return w.Batch == nil && len(w.of(plan.Open)) == 0 }

// work works on what is under way, then on the new batch, and returns what became of all
// of it.
func (w *followUp) work(ctx context.Context) (how session.Outcome, invs []installer.Invocation, err error) {
	var runs []installer.ClaimFilter
	var ids []string
	for _, item := range w.of(plan.Open) {
		ids = append(ids, item.Invocation.ID)
		what := installer.ClaimFilter{BatchID: item.Invocation.BatchID}
		if item.Alone { // it was named itself
			what.InvocationID = item.Invocation.ID
		}
		if !slices.Contains(runs, what) {
			runs = append(runs, what)
		}
	}
	if w.Batch != nil {
		runs = append(runs, installer.ClaimFilter{BatchID: w.Batch.ID})
	}
	for _, what := range runs {
		if how, err = w.Run(ctx, what, w.Limit); err != nil {
			return how, nil, err
		}
		if how.Interrupted || how.LimitReached {
			break
		}
	}
	ctx = context.WithoutCancel(ctx)
	if invs, err = session.InvocationsByID(ctx, w.Client, ids); err != nil {
		return how, nil, err
	}
	if w.Batch != nil {
		fresh, err := w.Client.Invocations(ctx, w.Batch.ID, "")
		return how, append(invs, fresh...), err
	}
	return how, invs, nil
}

// reportID is the batch that was named for a retry. Where that is not the one thing
// that was, and for a rollback, it is the batch that does the work.
func (w *followUp) reportID() string {
	alone := slices.ContainsFunc(w.Items, func(i plan.Item) bool { return i.Alone })
	did := append(w.of(plan.Open), w.of(plan.Done)...)
	switch {
	case w.task == installer.Retry && !alone && !strings.Contains(w.ids, " "), w.task == installer.Rollback && w.nothingToDo():
		return w.ids
	case w.Batch != nil:
		return w.Batch.ID
	case len(did) > 0:
		return did[0].Invocation.BatchID
	}
	return w.ids
}
