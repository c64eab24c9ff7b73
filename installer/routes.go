package installer

import (
	"context"
	"slices"
)

// RouteChoice says that a host is reached through a jump host which is chosen when it
// is dialled: the first one that works.
type RouteChoice struct {
	// Named are the jump hosts of a request, the preferred one first. Empty: the project's, as they are then.
	Named []NamedJumpHost `json:"named,omitempty"`
}

type NamedJumpHost struct {
	ID    string `json:"instance_id"`
	SetUp bool   `json:"set_up,omitempty"` // the project's when it was named, used only while it is; else a known host
}

// Same reports whether both name the same jump hosts in the same order.
func (t *RouteChoice) Same(other *RouteChoice) bool {
	if t == nil || other == nil {
		return t == other
	}
	return slices.EqualFunc(t.Named, other.Named, func(a, b NamedJumpHost) bool { return a.ID == b.ID })
}

// Route leads to the hosts behind one jump host.
type Route struct {
	JumpHost string     // its instance id
	Hops     []Endpoint // first hop first, the jump host last
	Logins   []Login    // one of each hop
	// Fail says why the route cannot be used: no login, or no jump host of the project's. Nil: try it.
	Fail *Failure
}

// To is the part of the route that leads to a host: one that is itself a hop is
// reached as that hop is, and not through itself.
func (w Route) To(host Endpoint) Route {
	at := slices.IndexFunc(w.Hops, func(hop Endpoint) bool { return hop.HostPort() == host.HostPort() })
	if at >= 0 && at < len(w.Logins) {
		w.Hops, w.Logins = slices.Clip(w.Hops[:at]), slices.Clip(w.Logins[:at])
	}
	return w
}

// HopLogin is the login of the last of the hops, if one of the routes has exactly these:
// at the same addresses, the last one as the same user and with the same pin.
func HopLogin(routes []Route, hops []Endpoint) (Login, bool) {
	last := len(hops) - 1
	for _, w := range routes {
		if w.Fail == nil && last >= 0 && SameHops(w.Hops, hops) && w.Hops[last] == hops[last] {
			return w.Logins[last], true
		}
	}
	return Login{}, false
}

// RouteFinder knows the routes through the jump hosts of a project.
type RouteFinder interface {
	// Routes returns them as they are now, with the logins that are kept now, in the
	// order in which they are to be tried, none of another project. Without Named ones it
	// is empty if the project has no jump host; with them it has one for each at least.
	Routes(ctx context.Context, project string, choice RouteChoice) ([]Route, error)
}
