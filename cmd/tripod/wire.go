package main

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"tripod/installer"
	dispatch "tripod/installer/engine"
	"tripod/installer/recipe"
	"tripod/installer/sshdial"
	"tripod/store"
)

// This file puts the parts together, the same way for every command.

// holderConfig is what differs between the processes that have a state folder.
type holderConfig struct {
	readOnly   bool
	lockWait   time.Duration // 0: some time
	knownHosts []string
	// Of a daemon only:
	parallel int
	policy   func(netip.AddrPort) error // nil: every address
	keep     *keepTimes                 // nil: as a retry needs it
	maxOpen  int                        // tasks; 0: no bound
}

// keepTimes say how long credentials stay after their batch has ended.
type keepTimes struct{ succeeded, other time.Duration }

// keepForRetry forgets at once what is no longer needed.
var keepForRetry = keepTimes{other: 24 * time.Hour}

// localEngine is the state folder, and what works on its invocations.
type localEngine struct {
	app    *app
	cfg    holderConfig
	store  *store.Store
	dialer *sshdial.Dialer
	work   dispatch.Worker
}

// openLocal opens the state folder and makes the rest. Close it.
func (a *app) openLocal(cfg holderConfig) (*localEngine, error) {
	keep := keepForRetry
	if cfg.keep != nil {
		keep = *cfg.keep
	}
	s, err := store.Open(a.stateDir, store.Options{
		ReadOnly: cfg.readOnly, KeepSucceeded: keep.succeeded, KeepOther: keep.other, MaxOpen: cfg.maxOpen,
		LockWait: cfg.lockWait, Logger: a.log,
	})
	if err != nil {
		return nil, stateError(err)
	}
	dialer := sshdial.New(sshdial.Config{
		HostKeys:   s,
		Routes:     s,
		KnownHosts: cfg.knownHosts,
		Policy:     cfg.policy,
		Logger:     a.log,
	})
	e := &localEngine{app: a, cfg: cfg, store: s, dialer: dialer}
	e.work = recipe.New(recipe.Config{
		Dial: func(ctx context.Context, project string, host installer.Host, creds installer.Credentials, policy installer.HostKeyPolicy) (recipe.Conn, error) {
			return dialer.Dial(ctx, project, host, creds, policy)
		},
		Blobs:  s,
		Logger: a.log,
	})
	return e, nil
}

// close ends connections, then the store.
func (e *localEngine) close() error {
	return errors.Join(e.dialer.Close(), e.store.Close())
}

// dispatcher makes one that works on the folder's hosts.
func (e *localEngine) dispatcher(c dispatch.Config) *dispatch.Dispatcher {
	c.Queue, c.Worker, c.Logger = e.store, e.work, e.app.log
	return dispatch.New(c)
}

// stateError adds what to do about a state folder that cannot be opened.
func stateError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNoState):
		return usageError(err, "nothing has been installed yet from this state folder; see --state-dir")
	case errors.Is(err, store.ErrLocked):
		return &exitError{code: exitInternal, err: err, hint: "wait for it to end, stop it, or use another --state-dir"}
	}
	return &exitError{code: exitInternal, err: err}
}

// boundParallel limits the number of workers by the descriptors that the
// process may open.
func boundParallel(wanted, descriptors int) (int, error) {
	const (
		reserved  = 64 // database, logs, listeners, standard streams
		perWorker = 3  // connection, log, and room for one to an installer
	)
	most := max(1, (descriptors-reserved)/perWorker)
	switch {
	case wanted < 1:
		return 0, usagef("--parallel must be at least 1")
	case wanted > most:
		return most, nil
	}
	return wanted, nil
}

// parallel checks --parallel and says so if it has to be less.
func (a *app) parallel(wanted int) (int, error) {
	n, err := boundParallel(wanted, descriptorLimit())
	if err == nil && n < wanted {
		a.notef("note: --parallel %d needs more open files than this process may have (ulimit -n): using %d", wanted, n)
	}
	return n, err
}

// defaultKnownHosts are the files that ssh reads.
func defaultKnownHosts() []string {
	files := []string{"/etc/ssh/ssh_known_hosts"}
	if home, err := os.UserHomeDir(); err == nil {
		files = append([]string{filepath.Join(home, ".ssh", "known_hosts")}, files...)
	}
	return files
}
