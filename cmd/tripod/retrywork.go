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

// retryWork is what a retry of a batch has to do.
type retryWork struct {
	goOn []installer.Invocation // unfinished, of the batch or of an earlier retry
	redo []installer.Invocation // ended without success; the latest of each chain
	done []installer.Invocation // succeeded, there or in an earlier retry
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

// given reads the credentials that retry was given, if any.
func (c *retryCmd) given(ctx context.Context, a *app) (givenCredentials, error) {
	if len(c.File) > 0 {
		t, err := c.read(ctx, a, nil)
		if err != nil {
			return nil, err
		}
		byID := map[string]installer.Credentials{}
		for _, e := range t.entries {
			byID[e.Host.ID] = e.Credentials
		}
		return func(h installer.Host) (installer.Credentials, bool) {
			creds, ok := byID[h.ID]
			return creds, ok
		}, nil
	}
	acc, err := c.resolve(ctx)
	if err != nil {
		return nil, err
	}
	creds := installer.Credentials{Login: acc.login, SudoPassword: acc.sudoPassword, Via: acc.viaLogins}
	return func(h installer.Host) (installer.Credentials, bool) {
		return creds, !creds.IsZero() && len(creds.Via) == len(h.Via)
	}, nil
}

// prepareRetry stores what has to be stored before anything is dialled: the
// new credentials of what goes on, and a batch of RETRYs. It returns the id of
// that batch, if one was needed.
func (e *engine) prepareRetry(ctx context.Context, batchID string, w retryWork, given givenCredentials, maxFailures int) ([]string, error) {
	b := newBatch(time.Now(), "retry of "+batchID, "")
	b.MaxFailures = maxFailures
	var faults installer.Faults
	inherit := map[string]string{}
	for _, old := range w.redo {
		if old.Type == installer.SetRemoteInstaller {
			faults.Add(old.Host.Label(), "a %s is retried through the API", old.Type)
			continue
		}
		creds, now := given(old.Host)
		inv := addItem(&b, installer.Retry, old.Host, old.Spec, creds)
		inv.RunID, inv.Of = old.RunID, old.ID
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
			return nil, usageError(err, fmt.Sprintf("give the logins again: tripod retry %s -f HOSTS, or with --ask-pass, --password-file or --identity", batchID))
		}
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, b.ID)
	}
	return fresh, e.refresh(ctx, w.goOn, given)
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
