package inventory

import (
	"context"
	"slices"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// A machine that is reached by another way than before (a project gets its first
// installer, or another one) is the same one: it has to show the host key that is
// pinned, whichever way leads there. Nothing is taken for known before any way was
// gone. Its logins stay bound to their way: see Host.SameRoute.

// SameMachine implements installer.Ledger.
func (s *Inventory) SameMachine(ctx context.Context, project string, a, b installer.Host) (same installer.Sameness, err error) {
	err = s.View(ctx, func(t *Tx) error {
		shared, err := t.shareRoute(project, a, b)
		switch {
		case shared:
			same = installer.SameRoute
		case t.sameMachine(project, a, b):
			same = installer.SameHostKey
		}
		return err
	})
	return same, err
}

// shareRoute reports whether one way to the first host is one to the second.
func (t *Tx) shareRoute(project string, a, b installer.Host) (bool, error) {
	if a.SameMachine(b) || a.HostPort() != b.HostPort() || a.RouteChoice == nil && b.RouteChoice == nil {
		return a.SameMachine(b), nil
	}
	routesA, err := t.routesTo(project, a)
	if err != nil {
		return false, err
	}
	routesB, err := t.routesTo(project, b)
	return slices.ContainsFunc(routesA, func(one []installer.Endpoint) bool {
		return slices.ContainsFunc(routesB, func(other []installer.Endpoint) bool { return installer.SameHops(one, other) })
	}), err
}

// routesTo are the hops of each way by which a host is reached now.
func (t *Tx) routesTo(project string, h installer.Host) (hops [][]installer.Endpoint, err error) {
	if h.RouteChoice == nil {
		return [][]installer.Endpoint{h.Via}, nil
	}
	f := routeFinder{Tx: t, project: project, left: WaysMost}
	plans, err := f.routes(*h.RouteChoice, nil)
	for _, p := range plans {
		if p.fail == nil {
			hops = append(hops, p.hopsTo(h.Endpoint))
		}
	}
	return hops, err
}

// hopsTo are the servers on the way to a host.
func (p routePlan) hopsTo(host installer.Endpoint) []installer.Endpoint {
	var route installer.Route
	for _, on := range p.hops {
		route.Hops = append(append(route.Hops, on.host.Via...), on.host.Endpoint)
	}
	route.Logins = make([]installer.Login, len(route.Hops))
	return route.To(host).Hops
}

// sameMachine: where the user has pinned a host key, that of the other one is the same.
func (t *Tx) sameMachine(project string, a, b installer.Host) bool {
	if a.HostPort() != b.HostPort() || a.HostKey != b.HostKey {
		return a.SameMachine(b)
	}
	return a.SameMachine(b) || a.HostKey != "" || t.isPinned(project, a)
}

// WorkedOn reports whether r was done on the machine that h is. Where no host key was
// checked, those that were seen before tell nothing of the machine at hand.
func (t *Tx) WorkedOn(h installer.Host, r *tasks.Record) bool {
	if r.Spec.HostKeys == installer.Insecure {
		return h.SameMachine(r.Host)
	}
	return t.sameMachine(r.ProjectID, h, r.Host)
}

// isPinned reports whether a host has shown a key, by whatever way.
func (t *Tx) isPinned(project string, h installer.Host) bool {
	for range t.All(TPins, kv.Join(project, h.HostPort())) {
		return true
	}
	return false
}
