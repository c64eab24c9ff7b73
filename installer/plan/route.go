package plan

import (
	"errors"
	"slices"

	"tripod/installer"
)

// route is how the hosts of a REMOTE_INSTALL are reached. The zero value leaves
// hosts as they are.
type route struct {
	// through are installers of which one is chosen when a host is dialled. Nil:
	// there is none, so the daemon is itself the jump host.
	choice *installer.RouteChoice
	// ways are those that could be gone now, projects those through the project's
	// installers, whether they are meant or not.
	routes     []installer.Route
	projects   []installer.Route
	installers []installer.Host
	refused    *Refusal // why there is no way
}

// findRoute finds the installers that may be gone through: those named, else the
// project's. One that has a login, at least, must be among them.
func (q *planning) findRoute() (r route, err error) {
	if r.installers, err = q.Ledger.Installers(q.ctx, q.Project); err != nil {
		return r, err
	}
	if len(q.Installers) == 0 && len(r.installers) == 0 {
		return r, nil
	}
	choice, err := q.choice(r.installers)
	if err != nil {
		return r, err
	}
	if len(q.Installers) > 0 && len(choice.Named) == 0 {
		r.refused = refuse(UnknownInstaller, "the installer named by instance_ids is no known instance of this project")
		return r, nil
	}
	all, err := q.Ledger.Routes(q.ctx, q.Project, choice)
	if err != nil {
		return r, err
	}
	if r.projects, err = q.Ledger.Routes(q.ctx, q.Project, installer.RouteChoice{}); err != nil {
		return r, err
	}
	for _, one := range all {
		if one.Fail == nil {
			r.routes = append(r.routes, one)
		} else if r.refused == nil {
			r.refused = refuse(InstallerCredentialMissing, one.Fail.Detail)
		}
	}
	if r.choice = &choice; len(r.routes) > 0 {
		r.refused = nil
	}
	return r, nil
}

// through are the named installers that the project knows.
func (q *planning) choice(installers []installer.Host) (installer.RouteChoice, error) {
	var choice installer.RouteChoice
	for _, id := range q.Installers {
		setUp := slices.ContainsFunc(installers, func(h installer.Host) bool { return h.ID == id })
		if !setUp {
			switch _, err := q.Ledger.KnownHost(q.ctx, q.Project, id); {
			case errors.Is(err, installer.ErrNotFound):
				continue
			case err != nil:
				return choice, err
			}
		}
		choice.Named = append(choice.Named, installer.NamedJumpHost{ID: id, SetUp: setUp})
	}
	return choice, nil
}

// to puts the way to a host into it, and returns the logins of the hops that are
// known already, or why there is no way. A host that is itself a hop is reached as
// that hop is, so that no installer is behind itself.
func (r route) to(host *installer.Host) ([]installer.Login, *Refusal) {
	for _, one := range r.routes {
		if before := one.To(host.Endpoint); len(before.Hops) < len(one.Hops) {
			host.Via = before.Hops
			return r.given(before), nil
		}
	}
	for _, h := range r.installers { // also one whose login is gone: this may bring it
		if h.HostPort() == host.HostPort() && len(h.Via) == 0 && h.RouteChoice == nil {
			return nil, nil
		}
	}
	host.RouteChoice = r.choice
	return nil, r.refused
}

// given are the logins on a way, but for those of the project's installers, which
// are looked up when they are needed.
func (r route) given(by installer.Route) []installer.Login {
	logins := slices.Clone(by.Logins)
	for i := range logins {
		if _, found := installer.HopLogin(r.projects, by.Hops[:i+1]); found {
			logins[i] = installer.Login{}
		}
	}
	return logins
}

// noInstallerLeft says why none of the installers that a known host is reached through
// can be gone through, whoever is healthy. Nil: one may be tried.
func (q *planning) noInstallerLeft(host *installer.Host) (*Refusal, error) {
	if host.RouteChoice == nil {
		return nil, nil
	}
	routes, err := q.Ledger.Routes(q.ctx, q.Project, *host.RouteChoice)
	switch {
	case err != nil || slices.ContainsFunc(routes, func(w installer.Route) bool { return w.Fail == nil }):
		return nil, err
	case len(routes) == 0:
		return refuse(UnknownInstaller, "the host is reached through the project's installers, and there is none: set one, or import the host with its own way"), nil
	}
	return refuse(InstallerCredentialMissing, routes[0].Fail.Detail), nil
}
