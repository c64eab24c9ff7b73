package main

import (
	"context"

	"tripod/installer"
)

type rollbackCmd struct {
	ID string `arg:"" help:"A batch, or one invocation."`
	againFlags
}

// Help is shown by `tripod rollback --help`.
func (rollbackCmd) Help() string {
	return `Undoes what a batch, or one invocation, has done: hosts that were updated go
back to the version before, from what is kept on them, and where nothing was
before the agent is uninstalled. No package and no network are needed. Hosts on
which nothing was changed are left alone, and so are those that a later task has
changed since: roll that one back first, or where nothing undoes it (a script of
your own) install the wanted version. Logins are given as for retry.

Example:
  tripod rollback BATCH -f hosts.txt`
}

// Run rolls back.
func (c *rollbackCmd) Run(ctx context.Context, a *app) error { return c.work(ctx, a, c.rollback) }

func (c *rollbackCmd) rollback(ctx context.Context, e *engine, given givenCredentials) error {
	todo, err := c.whatToRollBack(ctx, e)
	if err != nil {
		return err
	}
	open := len(todo.goOn) + len(todo.redo)
	maxFailures, err := c.failureLimit(open)
	if err != nil {
		return err
	}
	if open == 0 {
		e.app.notef("nothing to do: %d have been rolled back", len(todo.done))
		return todo.unless(e.show(ctx, c.Output, ran{}, c.ID, todo.done))
	}
	fresh, err := e.prepare(ctx, rollingBack, c.ID, todo, given, maxFailures)
	if err != nil {
		return err
	}
	how, invs, err := e.workThrough(ctx, todo, fresh, maxFailures)
	if err != nil {
		return err
	}
	// What is to be retried is the rollback.
	return todo.unless(e.show(ctx, c.Output, how, append(fresh, todo.batches()...)[0], invs))
}

// whatToRollBack looks where each host stands. What cannot be undone is told, and
// is a fault if nothing else is left.
func (c *rollbackCmd) whatToRollBack(ctx context.Context, e *engine) (retryWork, error) {
	w := retryWork{alone: map[string]bool{}}
	var faults installer.Faults
	invs, err := e.named(ctx, c.ID)
	if err != nil {
		return w, err
	}
	for _, n := range invs {
		inv := n.Invocation
		if bad(&inv) { // a RETRY of it may have gone well
			if inv, err = e.latestOf(ctx, inv); err != nil {
				return w, err
			}
		}
		started, found, err := e.openRollback(ctx, &inv)
		if err != nil {
			return w, err
		}
		refused := installer.Allow(installer.Rollback, &inv)
		switch {
		case found:
			w.goOn = append(w.goOn, started)
			w.alone[started.ID] = n.alone
		case inv.State == installer.Rollbacked:
			w.done = append(w.done, inv)
		case refused != nil:
			if bad(&inv) || inv.Overtaken != "" {
				w.left++
			}
			faults.Add(inv.Host.Label(), "%v", refused)
		default:
			w.redo = append(w.redo, inv)
		}
	}
	if len(faults) == len(invs) {
		return w, usageError(faults, "see `tripod status "+c.ID+"`")
	}
	e.leftAlone(faults)
	return w, nil
}

// openRollback finds a ROLLBACK of inv that has not ended, or a RETRY of one.
func (e *engine) openRollback(ctx context.Context, inv *installer.Invocation) (installer.Invocation, bool, error) {
	page, err := e.client.Invocations(ctx, installer.Filter{ProjectID: inv.ProjectID, InstanceID: inv.Host.ID})
	if err != nil {
		return installer.Invocation{}, false, err
	}
	runs := map[string]bool{}
	for _, other := range page.Invocations {
		if other.Type == installer.Rollback && other.Of == inv.ID {
			runs[other.RunID] = true
		}
	}
	for _, other := range page.Invocations { // newest first
		if runs[other.RunID] && !other.State.Terminal() {
			return other, true, nil
		}
	}
	return installer.Invocation{}, false, nil
}
