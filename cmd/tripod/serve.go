package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/flags"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
	"tripod/installer/engine"
	"tripod/installer/looks"
	"tripod/installer/plan"
	"tripod/installer/policy"
)

type serveCmd struct {
	Listen       string        `default:"127.0.0.1:8440" placeholder:"HOST:PORT" help:"Address to listen on; port 0: any free port (default: ${default})."`
	TLSCert      string        `name:"tls-cert" type:"path" placeholder:"FILE" help:"TLS certificate chain, PEM."`
	TLSKey       string        `name:"tls-key" type:"path" placeholder:"FILE" help:"Private key of the TLS certificate, PEM."`
	TargetAllow  []string      `placeholder:"CIDR" help:"Host addresses to allow although they are denied by default (loopback, link-local …)."`
	TargetDeny   []string      `placeholder:"CIDR" help:"Host addresses to deny."`
	Parallel     int           `default:"${parallel}" help:"Number of hosts to work on at once."`
	Keep         time.Duration `default:"24h" help:"How long to store credentials after their task has ended; 0: delete them at once. A changed value applies to new tasks."`
	StatusMaxAge time.Duration `default:"24h" help:"Maximum age of an agent's status; after that agent-status reports unknown."`
	KeepTrying   bool          `help:"Try a password on every host of a batch, even after the first hosts have refused it: accounts of a directory can lock (default: stop after ${refusals} refusals without a success; for one batch: --keep-trying of its command)."`
	LookEvery    time.Duration `placeholder:"D" help:"Check the agent on each known host that has a kept login once every D; 0: never (default)."`
	Operator     string        `name:"operator-project" default:"default" placeholder:"P" help:"Project whose logins with full rights may change, with --server, what all projects share: the package store and the length of the audit log (default: ${default})."`
	RequestRate  int           `default:"500" placeholder:"N" help:"Average number of requests a second that one token or key may send; 0: unlimited (default: ${default})."`
	MaxOpen      int           `default:"200000" placeholder:"N" help:"Maximum number of open tasks of all projects; 0: unlimited (default: ${default})."`
	session.LimitFlags
	flags.DefaultKeys
	flags.AgentDefaults
	flags.Content
	flags.Policy
}

func (serveCmd) Help() string {
	return `Serves the agent-task API. Create a token first:
  tripod tokens add --project P NAME

Without TLS the daemon listens on loopback addresses only. SIGTERM stops it cleanly:
what runs on hosts continues there, and is resumed at the next start.`
}

func (c *serveCmd) Run(ctx context.Context, s *session.Session) error {
	s.LogAt(slog.LevelInfo)
	var faults installer.Faults
	spec := installer.Spec{Target: installer.TargetTelescope}
	files := c.Inspect(&spec, &faults)
	spec.Online = c.Online(&faults)
	c.Apply(&spec, &faults)
	faults = append(faults, spec.Validate(flags.SpecFlags)...)
	files.Warn(s.Notef)
	agentDefaults := c.AgentDefaults.Read(s.Notef, &faults)
	allowed := c.check(&faults)
	limits := c.Limits(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	defaultLogins, err := c.Logins(ctx, s.Notef)
	if err != nil {
		return err
	}
	workers, err := s.Parallel(c.Parallel)
	if err != nil {
		return err
	}
	state, err := s.OpenState(session.StateConfig{
		KnownHosts: c.Files(), Limits: limits, Keep: &c.Keep, MaxOpen: c.MaxOpen, Policy: func(at netip.AddrPort) error { return allowed.Check(at.Addr()) },
	}, session.ServeWait)
	if err != nil {
		return err
	}
	return session.Closing(func() error {
		if err := storeForGood(ctx, state, files); err != nil {
			return err
		}
		hub := control.NewHub()
		defer context.AfterFunc(ctx, hub.Close)()
		limit := control.Limiter(state.Store, s.Log)
		d := state.Dispatcher(engine.Config{Parallel: workers, Watch: func(event installer.Event) {
			limit(event) // first, so that who follows sees a limit that was reached
			hub.Watch(event)
		}})
		planner := plan.NewPlanner(plan.Planner{
			Store: state.Store, Fallback: spec, HostKeys: spec.HostKeys, Policy: allowed.Check, DefaultLogins: defaultLogins,
			AgentDefaults: agentDefaults, KeepTrying: c.KeepTrying,
		})
		routes := control.Routes(control.Config{
			Store: state.Store, Hub: hub, Engine: d, Planner: planner, Operator: c.Operator, Version: s.Version,
		})
		handler := api.New(api.Config{
			Planner: planner, Access: state.Store, StatusMaxAge: c.StatusMaxAge, RequestRate: cmp.Or(c.RequestRate, -1),
			Wake: d.Wake, Logger: s.Log, Routes: routes,
		})
		working := []*engine.Dispatcher{d}
		if c.LookEvery > 0 {
			queue := looks.New(looks.Config{
				Store: state.Store, Plan: planner.Plan, NewID: planner.NewID, HostKeys: planner.HostKeys, Every: c.LookEvery, Clock: time.Now,
			})
			working = append(working, state.Dispatcher(engine.Config{Queue: queue, Parallel: max(1, workers/lookShare)}))
		}
		return c.serve(ctx, s, state, working, handler, routes)
	}, state.Close)
}

// lookShare: for so many hosts that tasks may work on at once, one more is looked at.
const lookShare = 8

func (c *serveCmd) check(faults *installer.Faults) *policy.Policy {
	flags.Refuse(faults, c.Keep < 0, "--keep", "must not be negative")
	flags.Refuse(faults, c.StatusMaxAge <= 0, "--status-max-age", "must be positive")
	flags.Refuse(faults, c.LookEvery != 0 && c.LookEvery < time.Second, "--look-every", "must be 0, or a second at least")
	flags.Refuse(faults, c.RequestRate < 0, "--request-rate", "must not be negative")
	flags.Refuse(faults, c.MaxOpen < 0, "--max-open", "must not be negative")
	flags.Refuse(faults, (c.TLSCert == "") != (c.TLSKey == ""), "--tls-cert", "must be given together with --tls-key")
	if c.TLSCert != "" && c.TLSKey != "" {
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			faults.Add("--tls-cert", "%v", err)
		}
	}
	prefixes := func(flag string, texts []string) (list []netip.Prefix) {
		for _, text := range texts {
			prefix, err := policy.ParsePrefix(text)
			if err != nil {
				faults.Add(flag, "%v", err)
				continue
			}
			list = append(list, prefix)
		}
		return list
	}
	allowed, err := policy.New(prefixes("--target-allow", c.TargetAllow), prefixes("--target-deny", c.TargetDeny))
	if err != nil {
		faults.Add("--target-allow", "%v", err)
	}
	return allowed
}

// storeForGood stores the files and opens them for as long as the store is open: that
// the same package is deleted from the package store does not take it away.
func storeForGood(ctx context.Context, state *session.State, files flags.Files) error {
	return files.Store(ctx, func(ctx context.Context, r io.Reader, ref installer.BlobRef) error {
		put, err := state.PutBlob(ctx, r, ref.Name)
		if err == nil && put.SHA256 != ref.SHA256 {
			err = exit.Usagef("%s was changed while it was read", ref.Name)
		}
		if err == nil {
			_, err = state.OpenBlob(ref)
		}
		return err
	})
}

// serve runs the listener, the folder's socket, the dispatchers and the purge until ctx
// ends or one of them fails. Nothing is worked on before the address is taken.
func (c *serveCmd) serve(ctx context.Context, s *session.Session, state *session.State, working []*engine.Dispatcher, handler http.Handler, routes []api.Route) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var parts sync.WaitGroup
	err := api.Serve(ctx, api.ServerConfig{
		Listen: c.Listen, CertFile: c.TLSCert, KeyFile: c.TLSKey, Handler: handler, Logger: s.Log,
		Ready: func(at net.Addr) {
			scheme := "http"
			if c.TLSCert != "" {
				scheme = "https"
			}
			here := state.ServeLocal(routes)
			s.Notef("listening on %s://%s", scheme, at)
			parts.Go(func() {
				<-ctx.Done()
				if err := here.Close(); err != nil {
					s.Log.Warn("local requests cut off at shutdown", "error", err)
				}
			})
			for _, d := range working {
				parts.Go(func() {
					if err := d.Run(ctx); err != nil {
						stop(fmt.Errorf("the dispatcher stopped: %w", err))
					}
				})
			}
			parts.Go(func() { c.purge(ctx, s.Log, state) })
		},
	})
	stop(nil)
	parts.Wait()
	if errors.Is(err, api.ErrPlainHTTP) {
		return exit.UsageError(err, "")
	}
	if err != nil {
		return err
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, installer.ErrShutdown) && !errors.Is(cause, context.Canceled) {
		return cause
	}
	s.Notef("stopped")
	return nil
}

// purgeEvery is how often, at least, the daemon looks for expired credentials and writes
// the end of the audit log to its own log: out of reach of who could truncate the audit
// log, or replace the state by an older copy.
const purgeEvery = time.Hour

func (c *serveCmd) purge(ctx context.Context, log *slog.Logger, state *session.State) {
	noted := time.Time{}
	for {
		if now := time.Now(); now.Sub(noted) >= purgeEvery {
			if anchor, err := state.AuditAnchor(ctx); err != nil {
				log.Error("the end of the audit log cannot be read", "error", err)
			} else {
				log.Info("audit log", "anchor", anchor.String())
			}
			noted = now
		}
		select {
		case <-time.After(c.untilPurge(ctx, state)):
			if err := state.Purge(ctx, time.Now()); err != nil {
				log.Error("credentials not erased yet", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// untilPurge is when to look again: what ends meanwhile does not expire before --keep. It
// walks the batches whose credentials are stored, so it is not done all the time: what
// has expired is not used any more, erased or not.
func (c *serveCmd) untilPurge(ctx context.Context, state *session.State) time.Duration {
	least, wait := time.Minute, purgeEvery
	if c.Keep > 0 {
		least, wait = min(least, max(time.Second, c.Keep/64)), min(wait, c.Keep)
	}
	if next, err := state.NextPurge(ctx); err == nil && !next.IsZero() {
		wait = min(wait, time.Until(next))
	}
	return max(least, wait)
}
