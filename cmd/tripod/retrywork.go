package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/hostsfile"
)

// retryWork is what a retry or a rollback of a batch has to do.
type retryWork struct {
	goOn []installer.Invocation // unfinished: of the batch, or of an earlier command
	redo []installer.Invocation // to be retried or rolled back; the latest of each chain
	done []installer.Invocation // nothing is left to do
	left int                    // how many failed and cannot be helped this way
}

// about is a task that is about invocations that are there.
type about struct {
	task    installer.Type
	command string // of the same name
	of      func(*installer.Invocation) installer.Invocation
}

var (
	retrying    = about{installer.Retry, "retry", installer.RetryOf}
	rollingBack = about{installer.Rollback, "rollback", installer.RollbackOf}
)

// unless returns err, or that some hosts are left as they are, which is no success.
func (w retryWork) unless(err error) error {
	if err == nil && w.left > 0 {
		return exitWith(exitHosts)
	}
	return err
}

// batches are those of goOn, each once.
func (w retryWork) batches() []string {
	var ids []string
	for _, inv := range w.goOn {
		if !slices.Contains(ids, inv.BatchID) {
			ids = append(ids, inv.BatchID)
		}
	}
	return ids
}

// whatToRetry looks where each host of the batch stands. An invocation that
// was retried before counts as its latest RETRY, so that a second `retry` of
// the same batch neither doubles one that goes on nor repeats one that is done.
func (e *engine) whatToRetry(ctx context.Context, batchID string) (retryWork, error) {
	var w retryWork
	invs, err := batchInvocations(ctx, e.store, batchID)
	if err != nil {
		return w, err
	}
	for _, inv := range invs {
		if bad(&inv) {
			if inv, err = e.latestOf(ctx, inv); err != nil {
				return w, err
			}
		}
		switch {
		case !inv.State.Terminal():
			w.goOn = append(w.goOn, inv)
		case bad(&inv):
			w.redo = append(w.redo, inv)
		default:
			w.done = append(w.done, inv)
		}
	}
	return w, nil
}

// latestOf finds the newest invocation of inv's chain of RETRYs.
func (e *engine) latestOf(ctx context.Context, inv installer.Invocation) (installer.Invocation, error) {
	page, err := e.store.Invocations(ctx, installer.Filter{ProjectID: inv.ProjectID, InstanceID: inv.Host.ID})
	if err != nil {
		return inv, err
	}
	for _, other := range page.Invocations { // newest first
		if other.RunID == inv.RunID {
			return other, nil
		}
	}
	return inv, nil
}

// givenCredentials are those of the command line, by host.
type givenCredentials func(installer.Host) (installer.Credentials, bool)

// againFlags are those of commands about a batch that is there.
type againFlags struct {
	fileFlags
	knownHostsFlag
	runFlags
	outputFlag
}

// work opens the engine for do, which is told the credentials of the flags.
func (f *againFlags) work(ctx context.Context, a *app, do func(context.Context, *engine, givenCredentials) error) error {
	given, err := f.given(ctx, a)
	if err != nil {
		return err
	}
	e, err := f.openEngine(a, f.knownHosts())
	if err != nil {
		return err
	}
	return e.closing(func() error { return do(ctx, e, given) })
}

// given reads the credentials that a command about a batch was given, if any.
func (f *fileFlags) given(ctx context.Context, a *app) (givenCredentials, error) {
	if len(f.File) > 0 {
		t, err := f.read(ctx, a, nil)
		if err != nil {
			return nil, err
		}
		return t.given(a), nil
	}
	acc, err := f.resolve(ctx)
	if err != nil {
		return nil, err
	}
	creds := installer.Credentials{Login: acc.login, SudoPassword: acc.sudoPassword, Via: acc.viaLogins}
	return func(h installer.Host) (installer.Credentials, bool) {
		return creds, !creds.IsZero() && slices.EqualFunc(acc.via, h.Via, func(a, b installer.Endpoint) bool {
			return a.HostPort() == b.HostPort() && a.User == b.User
		})
	}, nil
}

// given are the credentials of the hosts files, for the hosts that these lead to:
// an id that names another machine there, or another way to it, has none for h.
func (t targets) given(a *app) givenCredentials {
	byID := map[string]hostsfile.Entry{}
	for _, e := range t.entries {
		byID[e.Host.ID] = e
	}
	return func(h installer.Host) (installer.Credentials, bool) {
		e, ok := byID[h.ID]
		if !ok { // it is known by another id than the one that the file leads to
			e, ok = byID[installer.InstanceID(a.project, h.Address, h.Port)]
		}
		if !ok {
			return installer.Credentials{}, false
		}
		if e.Host.TakePins(h); !e.Host.SameWay(h) {
			a.notef("note: %s leads to %s@%s, or there in another way, and the batch to %s@%s: its login is not used",
				e.Where, e.Host.User, e.Host.HostPort(), h.User, h.HostPort())
			return installer.Credentials{}, false
		}
		return e.Credentials, true
	}
}

// prepare stores what has to be stored before anything is dialled: the new
// credentials of what goes on, and a batch of RETRYs or ROLLBACKs. id is what the
// user named. It returns the id of that batch, if one was needed.
func (e *engine) prepare(ctx context.Context, what about, id string, w retryWork, given givenCredentials, maxFailures int) ([]string, error) {
	b := newBatch(time.Now(), what.command+" of "+id, "")
	b.MaxFailures = maxFailures
	var faults installer.Faults
	inherit := map[string]string{}
	for i := range w.redo {
		old := &w.redo[i]
		if err := installer.Allow(what.task, old); err != nil {
			faults.Add(old.Host.Label(), "%v", err)
			continue
		}
		creds, now := given(old.Host)
		inv := addItem(&b, what.of(old), creds)
		if !now { // those that are kept
			inherit[inv.ID] = old.ID
		}
	}
	if len(faults) > 0 {
		return nil, usageError(faults, "")
	}
	var fresh []string
	if len(b.Items) > 0 {
		err := e.submit(ctx, b, inherit)
		if _, ok := errors.AsType[*control.MissingCredentials](err); ok {
			return nil, usageError(err, fmt.Sprintf("give the logins again: tripod %s %s -f HOSTS, or with --ask-pass, --password-file or --identity", what.command, id))
		}
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, b.ID)
	}
	return fresh, e.refresh(ctx, w.goOn, given)
}

// workThrough works on what goes on and on the fresh batches, and returns what
// became of all of it.
func (e *engine) workThrough(ctx context.Context, w retryWork, fresh []string, maxFailures int) (how ran, invs []installer.Invocation, err error) {
	for _, id := range append(w.batches(), fresh...) {
		if how, err = e.runBatch(ctx, installer.ClaimFilter{BatchID: id}, maxFailures); err != nil {
			return how, nil, err
		}
		if how.interrupted || how.limitReached {
			break
		}
	}
	ctx = context.WithoutCancel(ctx)
	for _, old := range w.goOn {
		inv, err := e.store.Invocation(ctx, e.app.project, old.ID)
		if err != nil {
			return how, nil, err
		}
		invs = append(invs, inv)
	}
	for _, id := range fresh {
		more, err := batchInvocations(ctx, e.store, id)
		if err != nil {
			return how, nil, err
		}
		invs = append(invs, more...)
	}
	return how, invs, nil
}

// refresh gives new credentials to what is unfinished.
func (e *engine) refresh(ctx context.Context, open []installer.Invocation, given givenCredentials) error {
	byBatch := map[string]map[string]installer.Credentials{}
	for _, inv := range open {
		if creds, ok := given(inv.Host); ok {
			if byBatch[inv.BatchID] == nil {
				byBatch[inv.BatchID] = map[string]installer.Credentials{}
			}
			byBatch[inv.BatchID][inv.ID] = creds
		}
	}
	for batchID, creds := range byBatch {
		if err := e.store.RefreshCredentials(ctx, e.app.project, batchID, creds); err != nil {
			return err
		}
	}
	return nil
}
