package main

import (
	"context"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
	"tripod/installer/policy"
)

// watched makes the daemon's dispatcher, of which hub is told what it does. A
// limit of failures is kept to before that, so that who follows sees it.
func (e *localEngine) watched(hub *control.Hub) *installer.Dispatcher {
	limit := control.Limiter(e.store, e.app.log)
	return e.dispatcher(installer.DispatcherConfig{Watch: func(event installer.Event) {
		limit(event)
		hub.Watch(event)
	}})
}

// controlRoutes are those that `tripod --server` speaks to. They end with ctx.
func (e *localEngine) controlRoutes(ctx context.Context, d *installer.Dispatcher, hub *control.Hub, allowed *policy.Policy, hostKeys installer.HostKeyPolicy, operator string) []api.Route {
	context.AfterFunc(ctx, hub.Close)
	return control.Routes(control.Config{
		Store: e.store, Hub: hub, Wake: d.Wake, Cancel: d.Cancel, Policy: allowed.Check, HostKeys: hostKeys,
		Operator: operator, Version: versionWord(),
	})
}
