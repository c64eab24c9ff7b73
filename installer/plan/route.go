package plan

import (
	"cmp"
	"errors"
	"slices"

	"tripod/installer"
)

// route is how the hosts of a REMOTE_INSTALL are reached. The zero value leaves hosts as
// they are: the daemon is itself the jump host.
type route struct {
	choice    *installer.RouteChoice // of the jump host, when a host is dialled
	usable    []installer.Route      // through those that it may be
	projects  []installer.Route      // through the project's jump hosts, whether they are meant or not
	jumpHosts []installer.Host
	refused   error // why none is usable
}

// findRoute finds the jump hosts that may be used: those named, else the project's. One
// that has a login, at least, must be among them.
func (q *planning) findRoute() (r route, err error) {
	if r.jumpHosts, err = q.Store.JumpHosts(q.ctx, q.Project); err != nil || len(q.JumpHosts)+len(r.jumpHosts) == 0 {
		return r, err
	}
	var choice installer.RouteChoice
	for _, id := range q.JumpHosts {
		setUp := slices.ContainsFunc(r.jumpHosts, func(h installer.Host) bool { return h.ID == id })
		if !setUp {
			switch _, err := q.Store.KnownHost(q.ctx, q.Project, id); {
			case errors.Is(err, installer.ErrNotFound):
				continue
			case err != nil:
				return r, err
			}
		}
		choice.Named = append(choice.Named, installer.NamedJumpHost{ID: id, SetUp: setUp})
	}
	if len(q.JumpHosts) > 0 && len(choice.Named) == 0 {
		r.refused = refuse(UnknownJumpHost, "the jump host named by instance_ids is no known instance of this project")
		return r, nil
	}
	r.choice = &choice
	if r.usable, r.refused, err = q.usable(choice); err != nil {
		return r, err
	}
	r.projects, err = q.Store.Routes(q.ctx, q.Project, installer.RouteChoice{})
	return r, err
}

// usable returns the routes with a login, whoever is healthy, or why none of those that there are has one.
func (q *planning) usable(choice installer.RouteChoice) (usable []installer.Route, refused, err error) {
	all, err := q.Store.Routes(q.ctx, q.Project, choice)
	usable = slices.DeleteFunc(slices.Clone(all), func(r installer.Route) bool { return r.Fail != nil })
	if len(usable) == 0 && len(all) > 0 {
		refused = refuse(JumpHostCredentialMissing, all[0].Fail.Detail)
	}
	return usable, refused, err
}

// to puts the way to a host into it, and returns the logins of hops that are known already, or why
// there is no way. A host that is itself a hop is reached as that hop is.
func (r route) to(host *installer.Host) ([]installer.Login, error) {
	for _, one := range r.usable {
		if before := one.To(host.Endpoint); len(before.Hops) < len(one.Hops) {
			host.Via = before.Hops
			logins := slices.Clone(before.Logins)
			for i := range logins { // that of the project's own is looked up when it is needed
				if _, found := installer.HopLogin(r.projects, before.Hops[:i+1]); found {
					logins[i] = installer.Login{}
				}
			}
			return logins, nil
		}
	}
	for _, h := range r.jumpHosts { // also one without a login: this may bring it
		if h.HostPort() == host.HostPort() && len(h.Via) == 0 && h.RouteChoice == nil {
			return nil, nil
		}
	}
	host.RouteChoice = r.choice
	return nil, r.refused
}

// checkChoice says why none of the jump hosts that a known host is reached through can be
// used. Nil: one may be tried.
func (q *planning) checkChoice(choice installer.RouteChoice) error {
	usable, refused, err := q.usable(choice)
	if err == nil && refused == nil && len(usable) == 0 {
		return refuse(UnknownJumpHost, "the host is reached through the project's jump hosts, and there is none: set one, or import the host with its own way")
	}
	return cmp.Or(err, refused)
}
