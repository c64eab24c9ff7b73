package main

import (
	"context"
	"io"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/store"
)

// ledger is what the commands read.
type ledger interface {
	// Project is the one that all of it belongs to.
	Project() string
	Batch(ctx context.Context, project, id string) (installer.BatchHead, error)
	Batches(ctx context.Context, project string, n int) ([]installer.BatchHead, error)
	OpenBatch(ctx context.Context, project, fingerprint string) (installer.BatchHead, bool, error)
	Invocation(ctx context.Context, project, id string) (installer.Invocation, error)
	Invocations(ctx context.Context, f installer.Filter) (installer.Page, error)
	Log(ctx context.Context, project, id string) (io.ReadCloser, error)
	Close() error
}

// backend is what the commands work on: the state folder of this machine, or
// that of a daemon (--server). They do not know which.
type backend interface {
	ledger
	Submit(ctx context.Context, s control.Submission) error
	RefreshCredentials(ctx context.Context, project, batchID string, byInvocation map[string]installer.Credentials) error
	// CancelOpen cancels what is open of a batch, or only one invocation of it,
	// and returns the ids.
	CancelOpen(ctx context.Context, project, batchID, only string) ([]string, error)
	// PutBlob keeps a file of which ref has the hash and the size.
	PutBlob(ctx context.Context, r io.Reader, ref installer.BlobRef) (installer.BlobRef, error)
	ForgetKeys(ctx context.Context, project, hostPort string) (int, error)
	knownFinder
	tokenManager
	keyManager
	auditLog
	hostBook
	control.Installers
	packageShelf
}

var (
	_ backend = localState{}
	_ backend = (*control.Client)(nil)
)

// localState is this machine's state folder.
type localState struct {
	*store.Store
	project string
}

// Project implements ledger.
func (s localState) Project() string { return s.project }

// Submit implements backend.
func (s localState) Submit(ctx context.Context, sub control.Submission) error {
	if err := sub.Resolve(ctx, s.Store); err != nil {
		return err
	}
	return s.Store.Submit(ctx, sub.Batch)
}

// RefreshCredentials implements backend.
func (s localState) RefreshCredentials(ctx context.Context, _, batchID string, byInvocation map[string]installer.Credentials) error {
	return s.Store.RefreshCredentials(ctx, batchID, byInvocation)
}

// CancelOpen implements backend.
func (s localState) CancelOpen(ctx context.Context, project, batchID, only string) ([]string, error) {
	return control.CancelOpen(ctx, s.Store, project, batchID, only)
}

// HostsAt implements backend.
func (s localState) HostsAt(ctx context.Context, project string, at []installer.Host) ([]*installer.Host, error) {
	return control.HostsAt(ctx, s.Store, project, at)
}

// PutBlob implements backend.
func (s localState) PutBlob(ctx context.Context, r io.Reader, ref installer.BlobRef) (installer.BlobRef, error) {
	put, err := s.Store.PutBlob(ctx, r, ref.Name)
	if err != nil {
		return put, err
	}
	if put.SHA256 != ref.SHA256 {
		return put, usagef("%s was changed while it was read", ref.Name)
	}
	return ref, nil
}

// look opens what the commands work on for reading only. Close it.
func (a *app) look() (ledger, error) {
	if a.daemon != nil {
		return a.daemon, nil
	}
	s, err := a.openToRead()
	if err != nil {
		return nil, err
	}
	return localState{s, a.project}, nil
}

// open opens what the commands work on. Close it.
func (a *app) open(keep keepTimes) (backend, error) {
	if a.daemon != nil {
		return a.daemon, nil
	}
	s, err := a.openStore(keep, 0)
	if err != nil {
		return nil, err
	}
	return localState{s, a.project}, nil
}

// withBackend opens what the commands work on for fn and closes it.
func (a *app) withBackend(fn func(backend) error) error {
	b, err := a.open(keepAll)
	if err != nil {
		return err
	}
	return joinClose(fn(b), b)
}
