package session

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer"
	"tripod/installer/engine"
	"tripod/installer/recipe"
	"tripod/installer/sshdial"
	"tripod/store"
)

// StateConfig is what differs between the processes that open a state folder.
type StateConfig struct {
	readOnly   bool
	KnownHosts []string
	Limits     installer.Limits // as far as they are not the usual ones
	// Of a daemon only:
	Policy  func(netip.AddrPort) error // nil: every address
	Keep    *time.Duration             // of credentials after their batch; nil: as a retry needs them
	MaxOpen int                        // tasks; 0: no bound
}

// State is the open state folder, and what works on its invocations.
type State struct {
	*store.Store
	session *Session
	cfg     StateConfig
	limits  installer.Limits
	dialer  *sshdial.Dialer
	worker  engine.Worker
}

// OpenState opens the state folder, and waits for another process that leaves it. Close it.
func (s *Session) OpenState(cfg StateConfig, wait time.Duration) (*State, error) {
	succeeded, other := time.Duration(0), 24*time.Hour // what has succeeded is not retried
	if cfg.Keep != nil {
		succeeded, other = *cfg.Keep, *cfg.Keep
	}
	folder, err := store.Open(s.Flags.StateDir, store.Options{
		ReadOnly: cfg.readOnly, KeepSucceeded: succeeded, KeepOther: other, MaxOpen: cfg.MaxOpen,
		LockWait: wait, Logger: s.Log,
	})
	if err != nil {
		return nil, stateError(err)
	}
	limits := cfg.Limits.Or(s.Tuning.Limits)
	dialer := sshdial.New(sshdial.Config{
		Limits: limits, HostKeys: folder, Routes: folder, KnownHosts: cfg.KnownHosts, Policy: cfg.Policy, Logger: s.Log,
	})
	return &State{Store: folder, session: s, cfg: cfg, limits: limits, dialer: dialer, worker: recipe.New(recipe.Config{
		Dial: func(ctx context.Context, project string, host installer.Host, creds installer.Credentials, policy installer.HostKeyPolicy, guard installer.PasswordGuard) (recipe.Conn, error) {
			return dialer.Dial(ctx, project, host, creds, policy, guard)
		},
		Blobs:         folder,
		Limits:        limits,
		Logger:        s.Log,
		AgentSettings: s.Tuning.AgentSettings,
	})}, nil
}

// Close ends connections, then the store.
func (st *State) Close() error { return errors.Join(st.dialer.Close(), st.Store.Close()) }

// Dispatcher makes one that works on the folder's hosts, by default on its tasks.
func (st *State) Dispatcher(c engine.Config) *engine.Dispatcher {
	if c.Queue == nil {
		c.Queue = st.Store
	}
	c.Worker, c.Limits, c.Logger = st.worker, st.limits, st.session.Log
	return engine.New(c)
}

func stateError(err error) error {
	switch {
	case errors.Is(err, store.ErrNoState):
		return exit.UsageError(err, "nothing has been installed yet with this state folder; see --state-dir")
	case errors.Is(err, store.ErrLocked):
		return &exit.Error{Code: exit.Internal, Err: err, Hint: "wait for it to end, stop it, or use another --state-dir"}
	}
	return &exit.Error{Code: exit.Internal, Err: err}
}

// Parallel checks --parallel, and says so if it has to be less.
func (s *Session) Parallel(wanted int) (int, error) {
	n, err := boundParallel(wanted, descriptorLimit())
	if err == nil && n < wanted {
		s.Notef("note: --parallel %d needs more open files than this process may have (ulimit -n): using %d", wanted, n)
	}
	return n, err
}

func boundParallel(wanted, descriptors int) (int, error) {
	const (
		reserved  = 64 // database, logs, listeners, standard streams
		perWorker = 3  // connection, log, and room for one to a jump host
	)
	if wanted < 1 {
		return 0, exit.Usagef("--parallel must be at least 1")
	}
	return min(wanted, max(1, (descriptors-reserved)/perWorker)), nil
}

// descriptorLimit is how many files may be open: the hard limit, which Go's runtime sets.
func descriptorLimit() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 1024
	}
	return int(min(l.Cur, math.MaxInt32)) // it may be "unlimited"
}

// DefaultKnownHosts are the files that ssh reads.
func DefaultKnownHosts() []string {
	files := []string{"/etc/ssh/ssh_known_hosts"}
	if home, err := os.UserHomeDir(); err == nil {
		files = append([]string{filepath.Join(home, ".ssh", "known_hosts")}, files...)
	}
	return files
}
