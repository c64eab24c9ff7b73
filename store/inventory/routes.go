package inventory

import (
	"cmp"
	"context"
	"slices"

	"tripod/installer"
	"tripod/store/kv"
)

// WaysMost bounds how many installers one host's ways are made of.
const WaysMost = 64

// Routes implements installer.RouteFinder. A jump host is reached as it was when it
// was set; one that is itself behind a choice of jump hosts has a route through
// each of them.
func (s *Inventory) Routes(ctx context.Context, project string, choice installer.RouteChoice) ([]installer.Route, error) {
	var plans []routePlan
	err := s.View(ctx, func(t *Tx) (err error) {
		f := routeFinder{Tx: t, project: project, left: WaysMost}
		plans, err = f.routes(choice, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	routes := make([]installer.Route, len(plans))
	for i, p := range plans {
		if routes[i], err = s.openRoute(ctx, project, p); err != nil {
			return nil, err
		}
	}
	return s.fillHops(ctx, project, choice, routes)
}

// fillHops looks up the logins that are missing: of hops which are jump hosts of
// the project themselves.
func (s *Inventory) fillHops(ctx context.Context, project string, choice installer.RouteChoice, routes []installer.Route) ([]installer.Route, error) {
	projects := routes
	for n := range routes {
		w := &routes[n]
		for i := range w.Logins {
			if !w.Logins[i].IsZero() {
				continue
			}
			if len(choice.Named) > 0 {
				var err error
				if projects, err = s.Routes(ctx, project, installer.RouteChoice{}); err != nil {
					return nil, err
				}
				choice.Named = nil
			}
			var found bool
			if w.Logins[i], found = installer.HopLogin(projects, w.Hops[:i+1]); !found {
				*w = installer.Route{JumpHost: w.JumpHost, Fail: routeFailure("no login is kept for jump host %s@%s, which is before another, or the project does not use it any more", w.Hops[i].User, w.Hops[i].HostPort())}
				break
			}
		}
	}
	return routes, nil
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

// openRoute opens the logins. Where one is gone the route fails, and nothing else.
func (s *Inventory) openRoute(ctx context.Context, project string, p routePlan) (installer.Route, error) {
	route := installer.Route{JumpHost: p.jumpHost, Fail: p.fail}
	for _, on := range p.hops {
		if route.Fail != nil {
			break
		}
		creds, err := s.openFirst(ctx, project, on.host.ID, func(t *Tx) ([][]byte, error) { return t.loginsOfHop(project, on) })
		if isMissing(err) || err == nil && (creds.Login.IsZero() || len(creds.Via) != len(on.host.Via)) {
			route.Fail = routeFailure("no login is kept for jump host %s@%s any more", on.host.User, on.host.HostPort())
			continue
		}
		if err != nil {
			return route, err
		}
		route.Hops = append(append(route.Hops, on.host.Via...), on.host.Endpoint)
		route.Logins = append(append(route.Logins, creds.Via...), creds.Login)
	}
	if route.Fail != nil {
		route.Hops, route.Logins = nil, nil
	}
	return route, nil
}

// loginsOfHop are where the login of a jump host may be, in order of preference.
func (t *Tx) loginsOfHop(project string, on plannedHop) ([][]byte, error) {
	if on.setUp != nil {
		return [][]byte{on.setUp}, nil
	}
	k, err := t.KnownHost(project, on.host.ID)
	if err != nil || k == nil {
		return nil, err
	}
	return t.loginsFor(project, k, on.host)
}

func routeFailure(format string, args ...any) *installer.Failure {
	return installer.Fail(installer.KindCredentialMissing, format, args...)
}

// routeFinder finds routes within one transaction.
type routeFinder struct {
	*Tx
	project string
	left    int // how many jump hosts it may still look at
}

// routes are those through the named jump hosts, or else the project's. behind are
// the ids of those that are reached through them.
func (f *routeFinder) routes(choice installer.RouteChoice, behind []string) ([]routePlan, error) {
	named := choice.Named
	if len(named) == 0 {
		all, err := f.Installers(f.project)
		if err != nil {
			return nil, err
		}
		for _, h := range all {
			// A jump host behind the project's others is reached through those that
			// are not behind a choice themselves: those may be behind it.
			if len(behind) > 0 && h.Host.RouteChoice != nil && len(h.Host.RouteChoice.Named) == 0 {
				continue
			}
			named = append(named, installer.NamedJumpHost{ID: h.Host.ID, SetUp: true})
		}
	}
	var plans []routePlan
	for _, n := range named {
		if f.left == 0 || slices.Contains(behind, n.ID) {
			continue
		}
		f.left--
		more, err := f.by(n, behind)
		if err != nil {
			return nil, err
		}
		plans = append(plans, more...)
	}
	return plans, nil
}

// by are the routes through one jump host.
func (f *routeFinder) by(n installer.NamedJumpHost, behind []string) ([]routePlan, error) {
	failed := func(format string, args ...any) []routePlan {
		return []routePlan{{jumpHost: n.ID, fail: routeFailure(format, args...)}}
	}
	setUp, err := f.setUpHost(f.project, n.ID)
	if err != nil {
		return nil, err
	}
	known, err := f.KnownHost(f.project, n.ID)
	var on plannedHop
	switch {
	case err != nil:
		return nil, err
	case setUp != nil && f.Get(TSealed, jumpLogin(f.project, n.ID)) != nil:
		on = plannedHop{setUp.Host, jumpLogin(f.project, n.ID)}
	case setUp != nil:
		on = plannedHop{host: setUp.Host}
	case n.SetUp:
		return failed("jump host %s is not used by the project any more", n.ID), nil
	case known == nil:
		return failed("jump host %s is not a known host any more", n.ID), nil
	default:
		on = plannedHop{host: known.Host}
	}
	if on.host.RouteChoice == nil {
		return []routePlan{{jumpHost: n.ID, hops: []plannedHop{on}}}, nil
	}
	before, err := f.routes(*on.host.RouteChoice, append(slices.Clip(behind), n.ID))
	if err != nil {
		return nil, err
	}
	// Why some cannot be used matters only if none can.
	good := slices.DeleteFunc(slices.Clone(before), func(p routePlan) bool { return p.fail != nil })
	if len(good) > 0 {
		before = good
	}
	for i := range before {
		b := &before[i]
		b.jumpHost, b.hops = n.ID, append(b.hops, on)
		if b.fail != nil {
			b.fail = routeFailure("jump host %s@%s is behind another: %s", on.host.User, on.host.HostPort(), b.fail.Detail)
		}
	}
	if len(before) == 0 {
		return failed("jump host %s@%s is behind another, and none is left", on.host.User, on.host.HostPort()), nil
	}
	if len(good) == 0 {
		before = before[:1]
	}
	return before, nil
}

// Installers are those of a project, the first one set first.
func (t *Tx) Installers(project string) ([]setUpHost, error) {
	var found []setUpHost
	for _, row := range t.All(TSetUp, kv.Join(project)) {
		var h setUpHost
		if _, err := kv.ReadRow(row, &h); err != nil {
			return nil, err
		}
		found = append(found, h)
	}
	slices.SortFunc(found, func(a, b setUpHost) int { return cmp.Compare(a.Order, b.Order) })
	return found, nil
}
