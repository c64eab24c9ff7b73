package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
	dispatch "tripod/installer/engine"
	"tripod/installer/policy"
)

type serveCmd struct {
	Listen       string        `default:"127.0.0.1:8440" placeholder:"HOST:PORT" help:"Address to listen on; port 0 takes any free one."`
	TLSCert      string        `name:"tls-cert" type:"path" placeholder:"FILE" help:"Certificate chain, PEM."`
	TLSKey       string        `name:"tls-key" type:"path" placeholder:"FILE" help:"Its private key, PEM."`
	TargetAllow  []string      `placeholder:"CIDR" help:"Target addresses to allow that are denied by default (loopback, link-local …)."`
	TargetDeny   []string      `placeholder:"CIDR" help:"Target addresses to deny."`
	Parallel     int           `default:"${parallel}" help:"Hosts worked on at once."`
	Keep         time.Duration `default:"24h" help:"How long credentials stay after their task has ended; 0: not at all. It is stored with each task: another value counts for new ones."`
	StatusMaxAge time.Duration `default:"24h" help:"How old what was found on a host may be; agent-status says unknown when it is older."`
	Operator     string        `name:"operator-project" default:"default" placeholder:"P" help:"Project whose logins with full rights may change with --server what all projects share: packages, and how long the audit log is."`
	defaultKeyFlags
	limitFlags
	contentFlags
	onlineFlags
	policyFlags
}

// Help is shown by `tripod serve --help`.
func (serveCmd) Help() string {
	return `Serves the agent-task API. Make a token first:
  tripod tokens add --project P NAME

Without TLS only a loopback address is served. SIGTERM ends it cleanly: what
runs on hosts goes on there, and is taken up again at the next start.`
}

// purgeEvery is how often it is looked at least for credentials whose time has run
// out.
const purgeEvery = time.Hour

// Run serves until it is told to stop.
func (c *serveCmd) Run(ctx context.Context, a *app) error {
	a.logAt(slog.LevelInfo)
	files, err := c.inspect()
	if err != nil {
		return err
	}
	spec := installer.Spec{Target: installer.TargetTelescope}
	var faults installer.Faults
	spec.Online = c.online(files, &faults)
	c.apply(&spec, &faults)
	allowed := c.policy(&faults)
	if c.Keep < 0 {
		faults.Add("--keep", "must not be negative")
	}
	if c.StatusMaxAge <= 0 {
		faults.Add("--status-max-age", "must be positive")
	}
	c.check(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	if err := c.checkTLS(); err != nil {
		return err
	}
	defaultLogin, err := c.logins(ctx, a.notef)
	if err != nil {
		return err
	}
	workers, err := a.parallel(c.Parallel)
	if err != nil {
		return err
	}
	e, err := a.openLocal(holderConfig{
		parallel: workers, knownHosts: c.knownHosts(), keep: &keepTimes{c.Keep, c.Keep}, maxOpen: c.MaxOpen, lockWait: folderWait,
		policy: func(at netip.AddrPort) error { return allowed.Check(at.Addr()) },
	})
	if err != nil {
		return err
	}
	return e.closing(func() error {
		if err := files.store(ctx, e.keep, &spec); err != nil {
			return err
		}
		if err := hold(e.store, spec); err != nil {
			return err
		}
		hub := control.NewHub()
		d := e.watched(hub)
		routes := e.daemonRoutes(ctx, d, hub, allowed, spec, defaultLogin, c.Operator)
		handler := api.New(api.Config{
			Ledger: e.store, Replays: e.store, Hosts: e.store, Packages: e.store, StatusMaxAge: c.StatusMaxAge,
			Tokens: e.store, Keys: e.store, RequestRate: c.requestRate(), Spec: spec, Wake: d.Wake, Policy: allowed.Check, Denials: e.store,
			DefaultLogin: defaultLogin, Logger: a.log,
			Routes: routes,
		})
		return c.serve(ctx, e, d, handler, routes)
	})
}

// serve runs the listener, the folder's socket, the engine and the purge until ctx
// ends or one of them fails. Nothing is worked on before the address is taken.
func (c *serveCmd) serve(ctx context.Context, e *localEngine, d *dispatch.Dispatcher, handler http.Handler, routes []api.Route) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var parts sync.WaitGroup
	err := api.Serve(ctx, api.ServerConfig{
		Listen: c.Listen, CertFile: c.TLSCert, KeyFile: c.TLSKey, Handler: handler, Logger: e.app.log,
		Ready: func(at net.Addr) {
			scheme := "http"
			if c.TLSCert != "" {
				scheme = "https"
			}
			here := e.serveLocal(routes, func() {})
			e.app.notef("listening on %s://%s", scheme, at)
			parts.Go(func() {
				<-ctx.Done()
				if err := here.close(); err != nil {
					e.app.log.Warn("local requests cut off at shutdown", "error", err)
				}
			})
			parts.Go(func() {
				if err := d.Run(ctx); err != nil {
					stop(fmt.Errorf("the engine stopped: %w", err))
				}
			})
			parts.Go(func() { e.purge(ctx, purgeEvery, c.Keep) })
		},
	})
	stop(nil)
	parts.Wait()
	if errors.Is(err, api.ErrPlainHTTP) {
		return usageError(err, "")
	}
	if err != nil {
		return err
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, installer.ErrShutdown) && !errors.Is(cause, context.Canceled) {
		return cause
	}
	e.app.notef("stopped")
	return nil
}

// checkTLS finds out early whether the certificate can be used.
func (c *serveCmd) checkTLS() error {
	switch {
	case c.TLSCert == "" && c.TLSKey == "":
		return nil
	case c.TLSCert == "" || c.TLSKey == "":
		return usagef("--tls-cert and --tls-key are given together")
	}
	if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
		return usageError(fmt.Errorf("--tls-cert: %w", err), "")
	}
	return nil
}

// purge erases credentials when their time has run out, and notes the end of the
// audit log from time to time. keep is that of the daemon's own batches.
func (e *localEngine) purge(ctx context.Context, every, keep time.Duration) {
	noted := time.Time{}
	for {
		if now := time.Now(); now.Sub(noted) >= every {
			e.noteAudit(ctx)
			noted = now
		}
		timer := time.NewTimer(e.untilPurge(ctx, every, keep))
		select {
		case <-timer.C:
			if err := e.store.Purge(ctx, time.Now()); err != nil {
				e.app.log.Error("credentials not erased yet", "error", err)
			}
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// untilPurge is when to look again: what ends meanwhile is not over before keep. It
// walks the batches whose credentials are kept, so it is not done all the time: what
// is over is not opened any more, erased or not.
func (e *localEngine) untilPurge(ctx context.Context, every, keep time.Duration) time.Duration {
	const seldom = time.Minute
	least, wait := seldom, every
	if keep > 0 {
		least, wait = min(seldom, max(time.Second, keep/64)), min(every, keep)
	}
	next, err := e.store.NextPurge(ctx)
	if err == nil && !next.IsZero() {
		wait = min(wait, time.Until(next))
	}
	return max(least, wait)
}

// policy reads the lists of addresses.
func (c *serveCmd) policy(faults *installer.Faults) *policy.Policy {
	read := func(flag string, texts []string) []netip.Prefix {
		var list []netip.Prefix
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
	p, err := policy.New(read("--target-allow", c.TargetAllow), read("--target-deny", c.TargetDeny))
	if err != nil {
		faults.Add("--target-allow", "%v", err)
	}
	return p
}
