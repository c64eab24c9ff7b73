package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
	dispatch "tripod/installer/engine"
	"tripod/installer/policy"
)

// holder is this process while it has the state folder for one command: it works on
// what is followed, and does so for the commands of other processes too.
type holder struct {
	*localEngine
	runs   *control.OnDemand
	server *localServer
}

// hold takes the folder. Close it.
func (a *app) hold(cfg holderConfig) (*holder, error) {
	if cfg.knownHosts == nil {
		cfg.knownHosts = defaultKnownHosts()
	}
	cfg.lockWait = time.Millisecond // folder waits
	e, err := a.openLocal(cfg)
	if err != nil {
		return nil, err
	}
	hub := control.NewHub()
	most, _ := boundParallel(math.MaxInt, descriptorLimit())
	h := &holder{localEngine: e}
	h.runs = control.NewOnDemand(control.OnDemandConfig{Store: e.store, Dispatcher: e.dispatcher, Watch: hub.Watch, MostParallel: most})
	config := control.Config{
		Store: e.store, Hub: hub, Engine: h.runs,
		HostKeys: installer.Insecure, Version: versionWord(),
	}
	if !slices.Equal(cfg.knownHosts, defaultKnownHosts()) {
		config.KnownHosts = cfg.knownHosts
	}
	h.server = e.serveLocal(control.Routes(config), hub.Close)
	return h, nil
}

// close ends the work of others, then leaves the folder. Who still follows it finds
// that out when all is said, and takes it over.
func (h *holder) close() error {
	h.runs.Close()
	return errors.Join(h.server.close(), h.localEngine.close())
}

// watched makes the daemon's dispatcher, of which hub is told what it does. A
// limit of failures is kept to before that, so that who follows sees it.
func (e *localEngine) watched(hub *control.Hub) *dispatch.Dispatcher {
	limit := control.Limiter(e.store, e.app.log)
	return e.dispatcher(dispatch.Config{Parallel: e.cfg.parallel, Watch: func(event installer.Event) {
		limit(event)
		hub.Watch(event)
	}})
}

// daemonRoutes are those of a daemon. They end with ctx.
func (e *localEngine) daemonRoutes(ctx context.Context, d *dispatch.Dispatcher, hub *control.Hub, allowed *policy.Policy, spec installer.Spec, defaultLogin func(string) (installer.Login, bool), operator string) []api.Route {
	context.AfterFunc(ctx, hub.Close)
	return control.Routes(control.Config{
		Store: e.store, Hub: hub, Engine: d, Policy: allowed.Check, HostKeys: spec.HostKeys, Fallback: spec, DefaultLogin: defaultLogin,
		Operator: operator, Version: versionWord(),
	})
}
