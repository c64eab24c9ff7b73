package inventory

import (
	"context"
	"slices"

	"tripod/installer"
	"tripod/store/kv"
)

// RoutesMost bounds how many jump hosts one host's routes are made of.
const RoutesMost = 64

// Routes implements installer.RouteFinder. A jump host is reached as it was when it was set; one that
// is behind a choice of jump hosts has a route through each of them.
func (s *Inventory) Routes(ctx context.Context, project string, choice installer.RouteChoice) ([]installer.Route, error) {
	plans, err := kv.Read(ctx, s, func(t *Tx) ([]routePlan, error) { return t.plansFor(project, choice), nil })
	if err != nil {
		return nil, err
	}
	routes := make([]installer.Route, len(plans))
	for i, p := range plans {
		if routes[i], err = s.openRoute(ctx, project, p); err != nil {
			return nil, err
		}
	}
	// Logins that are missing are those of hops which are jump hosts of the project
	// themselves.
	projects := routes
	for n := range routes {
		w := &routes[n]
		for i := range w.Logins {
			if !w.Logins[i].IsZero() {
				continue
			}
			if len(choice.Named) > 0 {
				if projects, err = s.Routes(ctx, project, installer.RouteChoice{}); err != nil {
					return nil, err
				}
				choice.Named = nil
			}
			var found bool
			if w.Logins[i], found = installer.HopLogin(projects, w.Hops[:i+1]); !found {
				*w = installer.Route{JumpHost: w.JumpHost, Fail: missing("no login is kept for jump host %s@%s, which is before another, or the project does not use it any more", w.Hops[i].User, w.Hops[i].HostPort())}
				break
			}
		}
	}
	return routes, nil
}

func (t *Tx) plansFor(project string, choice installer.RouteChoice) []routePlan {
	f := routeFinder{Tx: t, project: project, left: RoutesMost}
	return f.routes(choice, nil)
}

func (t *Tx) routesTo(project string, h installer.Host) (hops [][]installer.Endpoint) {
	if h.RouteChoice == nil {
		return [][]installer.Endpoint{h.Via}
	}
	for _, p := range t.plansFor(project, *h.RouteChoice) {
		if p.fail == nil {
			hops = append(hops, p.hopsTo(h.Endpoint))
		}
	}
	return hops
}

// routePlan is a route whose logins are still sealed.
type routePlan struct {
	jumpHost string // id of the last one
	hops     []plannedHop
	fail     *installer.Failure
}

type plannedHop struct {
	host  installer.Host
	setUp []byte // its login when it was set; nil: what is kept for the host
}

func (p routePlan) hopsTo(host installer.Endpoint) []installer.Endpoint {
	var route installer.Route
	for _, on := range p.hops {
		route.Hops = append(append(route.Hops, on.host.Via...), on.host.Endpoint)
	}
	route.Logins = make([]installer.Login, len(route.Hops))
	return route.To(host).Hops
}

// openRoute opens the logins. Where one is missing the route fails, and nothing else.
func (s *Inventory) openRoute(ctx context.Context, project string, p routePlan) (installer.Route, error) {
	route := installer.Route{JumpHost: p.jumpHost, Fail: p.fail}
	if p.fail != nil {
		return route, nil
	}
	for _, on := range p.hops {
		creds, err := s.openFirst(ctx, project, on.host.ID, func(t *Tx) ([][]byte, error) { return t.loginsOfHop(project, on), nil })
		if err != nil && !isMissing(err) {
			return route, err
		}
		if err != nil || creds.Login.IsZero() || len(creds.Via) != len(on.host.Via) {
			return installer.Route{JumpHost: p.jumpHost, Fail: missing("no login is kept for jump host %s@%s any more", on.host.User, on.host.HostPort())}, nil
		}
		route.Hops = append(append(route.Hops, on.host.Via...), on.host.Endpoint)
		route.Logins = append(append(route.Logins, creds.Via...), creds.Login)
	}
	return route, nil
}

// loginsOfHop are where the login of a jump host may be, in order of preference.
func (t *Tx) loginsOfHop(project string, on plannedHop) [][]byte {
	if on.setUp != nil {
		return [][]byte{on.setUp}
	}
	k := t.findHost(project, on.host.ID)
	if k == nil {
		return nil
	}
	return t.loginsFor(project, k, on.host)
}

type routeFinder struct {
	*Tx
	project string
	left    int // how many jump hosts it may still look at
}

// routes are those through the named jump hosts, or else the project's. behind are
// the ids of those that are reached through them.
func (f *routeFinder) routes(choice installer.RouteChoice, behind []string) (plans []routePlan) {
	named := choice.Named
	if len(named) == 0 {
		for _, h := range f.jumpHosts(f.project) {
			// A jump host behind the project's others is reached through those that
			// are not behind a choice themselves: those may be behind it.
			if len(behind) > 0 && h.RouteChoice != nil && len(h.RouteChoice.Named) == 0 {
				continue
			}
			named = append(named, installer.NamedJumpHost{ID: h.ID, SetUp: true})
		}
	}
	for _, n := range named {
		if f.left == 0 || slices.Contains(behind, n.ID) {
			continue
		}
		f.left--
		plans = append(plans, f.by(n, behind)...)
	}
	return plans
}

func (f *routeFinder) by(n installer.NamedJumpHost, behind []string) []routePlan {
	failed := func(format string, args ...any) []routePlan {
		return []routePlan{{jumpHost: n.ID, fail: missing(format, args...)}}
	}
	jump, known := f.jumpHost(f.project, n.ID), f.findHost(f.project, n.ID)
	var on plannedHop
	switch {
	case jump != nil:
		on.host = jump.Host
		if key := jumpLogin(f.project, n.ID); f.Get(TSealed, key) != nil {
			on.setUp = key
		}
	case n.SetUp:
		return failed("jump host %s is not used by the project any more", n.ID)
	case known == nil:
		return failed("jump host %s is not a known host any more", n.ID)
	default:
		on.host = known.Host
	}
	if on.host.RouteChoice == nil {
		return []routePlan{{jumpHost: n.ID, hops: []plannedHop{on}}}
	}
	before := f.routes(*on.host.RouteChoice, append(slices.Clip(behind), n.ID))
	// Why some cannot be used matters only if none can.
	good := slices.DeleteFunc(slices.Clone(before), func(p routePlan) bool { return p.fail != nil })
	switch {
	case len(before) == 0:
		return failed("jump host %s@%s is behind another, and none is left", on.host.User, on.host.HostPort())
	case len(good) == 0:
		return failed("jump host %s@%s is behind another: %s", on.host.User, on.host.HostPort(), before[0].fail.Detail)
	}
	for i := range good {
		good[i].jumpHost, good[i].hops = n.ID, append(good[i].hops, on)
	}
	return good
}
