package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tripod/installer"
	"tripod/installer/control"
)

// retryWork is what a retry or a rollback of a batch has to do.
type retryWork struct {
	goOn []installer.Invocation // unfinished: of the batch, or of an earlier command
	// alone are those of goOn whose batches are not worked through for them: they
	// were named themselves.
	alone map[string]bool
	redo  []installer.Invocation // to be retried or rolled back; the latest of each chain
	done  []installer.Invocation // nothing is left to do
	left  int                    // how many failed and cannot be helped this way
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

// allDone says how what was named has ended well.
func (w retryWork) allDone() string {
	if w.left > 0 {
		return fmt.Sprintf("%d have succeeded, and %d cannot be retried", len(w.done), w.left)
	}
	return fmt.Sprintf("all %d have succeeded", len(w.done))
}

// runs are what has to be worked on of goOn: batches, each once, and invocations
// that were named themselves.
func (w retryWork) runs() []installer.ClaimFilter {
	var runs []installer.ClaimFilter
	whole := map[string]bool{}
	for _, inv := range w.goOn {
		if !w.alone[inv.ID] && !whole[inv.BatchID] {
			whole[inv.BatchID] = true
			runs = append(runs, installer.ClaimFilter{BatchID: inv.BatchID})
		}
	}
	for _, inv := range w.goOn {
		if w.alone[inv.ID] && !whole[inv.BatchID] {
			runs = append(runs, installer.ClaimFilter{BatchID: inv.BatchID, InvocationID: inv.ID})
		}
	}
	return runs
}

// leftAlone tells what cannot be helped by the command.
func (e *engine) leftAlone(faults installer.Faults) {
	for _, f := range faults {
		e.app.notef("left alone: %s", f)
	}
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

// whatToRetry looks where each host stands. An invocation that was retried before
// counts as its latest RETRY, so that a second `retry` of the same one neither
// doubles one that goes on nor repeats one that is done. What cannot be retried is
// told, and is a fault if nothing else is left; ids are what the user has named.
func (e *engine) whatToRetry(ctx context.Context, named []namedInvocation, ids string) (retryWork, error) {
	w := retryWork{alone: map[string]bool{}}
	var faults installer.Faults
	seen := map[string]bool{}
	for _, n := range named {
		inv := n.Invocation
		if seen[inv.RunID] { // an invocation, and a RETRY of it
			continue
		}
		seen[inv.RunID] = true
		refused := installer.Allow(installer.Retry, &inv)
		if bad(&inv) {
			var err error
			if inv, err = e.latestOf(ctx, inv); err != nil {
				return w, err
			}
			refused = installer.Allow(installer.Retry, &inv)
		}
		switch {
		case !inv.State.Terminal():
			w.goOn = append(w.goOn, inv)
			w.alone[inv.ID] = n.alone
		case bad(&inv) && refused == nil:
			w.redo = append(w.redo, inv)
		case bad(&inv):
			w.left++
			faults.Add(inv.Host.Label(), "%v", refused)
		case n.alone && inv.ID == n.ID: // it never failed
			faults.Add(inv.Host.Label(), "%v", refused)
		default:
			w.done = append(w.done, inv)
		}
	}
	if len(faults) > 0 && len(w.goOn)+len(w.redo)+len(w.done) == 0 {
		return w, usageError(faults, "see `tripod status "+ids+"`")
	}
	e.leftAlone(faults)
	return w, nil
}

// latestOf finds the newest invocation of inv's chain of RETRYs.
func (e *engine) latestOf(ctx context.Context, inv installer.Invocation) (installer.Invocation, error) {
	page, err := e.client.Invocations(ctx, installer.Filter{ProjectID: inv.ProjectID, InstanceID: inv.Host.ID})
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
	e, err := f.openEngine(ctx, a, f.knownHosts())
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
		if creds.IsZero() {
			return creds, false
		}
		sameVia := slices.EqualFunc(acc.via, h.Via, func(a, b installer.Endpoint) bool {
			return a.HostPort() == b.HostPort() && a.User == b.User
		})
		if !sameVia || f.User != defaultUser && f.User != h.User {
			way := ""
			if text := wayText(h); text != "" {
				way = " via " + text
			}
			a.notef("note: %s is reached as %s%s in the batch, not as --user and --via say: the login of the flags is not used",
				h.Label(), h.User, way)
			return installer.Credentials{}, false
		}
		return creds, true
	}, nil
}

// given are the credentials of the hosts files, for the hosts that these lead to:
// an id that names another machine there, or another way to it, has none for h.
func (t targets) given(a *app) givenCredentials {
	byID := map[string]installer.HostEntry{}
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
// credentials of what goes on, and a batch of RETRYs or ROLLBACKs. ids are what the
// user named. It returns the id of that batch, if one was needed.
func (e *engine) prepare(ctx context.Context, what about, ids string, w retryWork, given givenCredentials, maxFailures int) ([]string, error) {
	b := newBatch(time.Now(), what.command+" of "+ids, "")
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
			return nil, usageError(err, fmt.Sprintf("give the logins again: tripod %s %s -f HOSTS, or with --ask-pass, --password-file or --identity", what.command, ids))
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
	runs := w.runs()
	for _, id := range fresh {
		runs = append(runs, installer.ClaimFilter{BatchID: id})
	}
	for _, what := range runs {
		if how, err = e.runBatch(ctx, what, maxFailures); err != nil {
			return how, nil, err
		}
		if how.interrupted || how.LimitReached {
			break
		}
	}
	ctx = context.WithoutCancel(ctx)
	for _, old := range w.goOn {
		inv, err := e.client.Invocation(ctx, e.app.project, old.ID)
		if err != nil {
			return how, nil, err
		}
		invs = append(invs, inv)
	}
	for _, id := range fresh {
		more, err := batchInvocations(ctx, e.client, id)
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
		if err := e.client.RefreshCredentials(ctx, e.app.project, batchID, creds); err != nil {
			return err
		}
	}
	return nil
}
