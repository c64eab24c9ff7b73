package api

import (
	"context"
	"errors"
	"slices"

	"tripod/installer"
)

// way is how the hosts of a request are reached.
type way struct {
	// through are installers of which one is chosen when a host is dialled. Nil:
	// there is none, so the daemon is itself the jump host.
	through *installer.Through
	// ways are those that could be gone now, projects those through the project's
	// installers, whether they are meant or not.
	ways       []installer.Way
	projects   []installer.Way
	installers []installer.Host
	refused    *itemError // why there is no way
}

// way finds the installers that may be gone through: those named, else the
// project's. One that has a login, at least, must be among them.
func (s service) way(ctx context.Context, project string, named []string) (way, error) {
	var w way
	var err error
	if w.installers, err = s.Ledger.Installers(ctx, project); err != nil {
		return w, err
	}
	if len(named) == 0 && len(w.installers) == 0 {
		return w, nil
	}
	through, err := s.named(ctx, project, named, w.installers)
	if err != nil {
		return w, err
	}
	if len(named) > 0 && len(through.Named) == 0 {
		w.refused = itemFault(ItemUnknownInstaller, "the installer named by instance_ids is no known instance of this project")
		return w, nil
	}
	all, err := s.Ledger.Ways(ctx, project, through)
	if err != nil {
		return w, err
	}
	if w.projects, err = s.Ledger.Ways(ctx, project, installer.Through{}); err != nil {
		return w, err
	}
	for _, one := range all {
		if one.Fail == nil {
			w.ways = append(w.ways, one)
		} else if w.refused == nil {
			w.refused = itemFault(ItemInstallerCredentialMissing, one.Fail.Detail)
		}
	}
	if w.through = &through; len(w.ways) > 0 {
		w.refused = nil
	}
	return w, nil
}

// named are those of the ids that the project knows.
func (s service) named(ctx context.Context, project string, ids []string, installers []installer.Host) (installer.Through, error) {
	var through installer.Through
	for _, id := range ids {
		setUp := slices.ContainsFunc(installers, func(h installer.Host) bool { return h.ID == id })
		if !setUp {
			switch _, err := s.Ledger.KnownHost(ctx, project, id); {
			case errors.Is(err, installer.ErrNotFound):
				continue
			case err != nil:
				return through, err
			}
		}
		through.Named = append(through.Named, installer.NamedInstaller{ID: id, SetUp: setUp})
	}
	return through, nil
}

// to puts the way to a host into it, and returns the logins of the hops that are
// known already, or why there is no way. A host that is itself a hop is reached as
// that hop is, so that no installer is behind itself.
func (w way) to(host *installer.Host) ([]installer.Login, *itemError) {
	for _, one := range w.ways {
		if before := one.To(host.Endpoint); len(before.Hops) < len(one.Hops) {
			host.Via = before.Hops
			return w.given(before), nil
		}
	}
	for _, h := range w.installers { // also one whose login is gone: this may bring it
		if h.HostPort() == host.HostPort() && len(h.Via) == 0 && h.Through == nil {
			return nil, nil
		}
	}
	host.Through = w.through
	return nil, w.refused
}

// noInstallerLeft says why none of the installers that a known host is reached through
// can be gone through, whoever is healthy. Nil: one may be tried.
func (s service) noInstallerLeft(ctx context.Context, project string, host *installer.Host) (*itemError, error) {
	if host.Through == nil {
		return nil, nil
	}
	ways, err := s.Ledger.Ways(ctx, project, *host.Through)
	switch {
	case err != nil || slices.ContainsFunc(ways, func(w installer.Way) bool { return w.Fail == nil }):
		return nil, err
	case len(ways) == 0:
		return itemFault(ItemUnknownInstaller, "the host is reached through the project's installers, and there is none: set one, or import the host with its own way"), nil
	}
	return itemFault(ItemInstallerCredentialMissing, ways[0].Fail.Detail), nil
}

// given are the logins on a way, but for those of the project's installers, which
// are looked up when they are needed.
func (w way) given(by installer.Way) []installer.Login {
	logins := slices.Clone(by.Logins)
	for i := range logins {
		if _, found := installer.LoginOf(w.projects, by.Hops[:i+1]); found {
			logins[i] = installer.Login{}
		}
	}
	return logins
}

// workedOn reports whether old was done on the machine that a host is: one way to it
// leads there, or its host key is pinned, and was checked then.
func (s service) workedOn(ctx context.Context, host installer.Host, old *installer.Invocation) (bool, error) {
	same, err := s.sameWays(ctx, old.ProjectID, host, old.Host)
	if err != nil || same || old.Spec.HostKeys == installer.Insecure {
		return same, err
	}
	return s.Ledger.SameMachine(ctx, old.ProjectID, host, old.Host)
}

// sameWays reports whether one way to the first host is one to the second:
// installers are exchangeable, and a host has the same address behind each of them.
func (s service) sameWays(ctx context.Context, project string, a, b installer.Host) (bool, error) {
	if a.SameMachine(b) || a.HostPort() != b.HostPort() || a.Through == nil && b.Through == nil {
		return a.SameMachine(b), nil
	}
	hopsA, err := s.hopsTo(ctx, project, a)
	if err != nil {
		return false, err
	}
	hopsB, err := s.hopsTo(ctx, project, b)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(hopsA, func(one []installer.Endpoint) bool {
		return slices.ContainsFunc(hopsB, func(other []installer.Endpoint) bool { return installer.SameHops(one, other) })
	}), nil
}

// hopsTo are the hops of each way to a host.
func (s service) hopsTo(ctx context.Context, project string, h installer.Host) ([][]installer.Endpoint, error) {
	if h.Through == nil {
		return [][]installer.Endpoint{h.Via}, nil
	}
	ways, err := s.Ledger.Ways(ctx, project, *h.Through)
	var all [][]installer.Endpoint
	for _, one := range ways {
		if one.Fail == nil {
			all = append(all, one.To(h.Endpoint).Hops)
		}
	}
	return all, err
}
