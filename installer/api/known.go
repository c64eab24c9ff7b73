package api

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"tripod/installer"
)

// planKnown makes one INSTALL or UPDATE per known host.
func planKnown(ctx context.Context, s service, project string, req *createRequest) ([]planned, error) {
	fitted, err := s.fitting(ctx, project, s.spec(req), req.instanceIDs)
	if err != nil {
		return nil, err
	}
	plan := make([]planned, len(req.instanceIDs))
	for i, id := range req.instanceIDs {
		host, creds, refused, err := s.known(ctx, project, id)
		if err != nil {
			return nil, err
		}
		spec, noPackage, err := fitted.on(ctx, id)
		if err != nil {
			return nil, err
		}
		plan[i] = planned{
			inv:         installer.Invocation{Host: host, Spec: spec},
			credentials: creds, refused: cmp.Or(refused, noPackage),
		}
	}
	return plan, nil
}

// known finds a host of the project and how to get in, or why that cannot be.
// Another project's host is as unknown as one that never was. The host has the
// id that was asked for in any case.
func (s service) known(ctx context.Context, project, id string) (installer.Host, installer.Credentials, *itemError, error) {
	host, err := s.Ledger.KnownHost(ctx, project, id)
	switch {
	case errors.Is(err, installer.ErrNotFound):
		return installer.Host{ID: id}, installer.Credentials{}, itemFault(ItemUnknownInstance, "no such instance in this project"), nil
	case err != nil:
		return host, installer.Credentials{}, nil, err
	}
	if refused := s.denied(host.Address); refused != nil {
		return host, installer.Credentials{}, refused, nil
	}
	creds, err := s.Ledger.HostCredentials(ctx, project, host)
	if err != nil && !credentialMissing(err) {
		return host, creds, nil, err
	}
	creds, refused, err := s.keptOrDefault(ctx, project, &host, creds)
	return host, creds, refused, err
}

// keptOrDefault are the credentials that are kept for a known host, else the
// project's default key, with the logins of the hops on the way.
func (s service) keptOrDefault(ctx context.Context, project string, host *installer.Host, creds installer.Credentials) (installer.Credentials, *itemError, error) {
	if creds.Login.IsZero() {
		login, ok := s.DefaultLogin(project)
		if !ok {
			return creds, itemFault(ItemCredentialMissing, "credential-missing: no password or key is kept for this instance (any more), and the project has no default key"), nil
		}
		creds = installer.Credentials{Login: login}
	}
	if refused, err := s.noInstallerLeft(ctx, project, host); refused != nil || err != nil {
		return creds, refused, err
	}
	if len(creds.Via) == len(host.Via) {
		return creds, nil, nil
	}
	var refused *itemError
	var err error
	host.Via, creds.Via, refused, err = s.hopLogins(ctx, project, host.Via)
	return creds, refused, err
}

// hopLogins finds the login for each hop on the way to a known host. That of one
// of the project's installers is left out: it is looked up when the host is dialled,
// and goes to a server with the installer's host key, so a hop without a pin gets
// that. Another hop has the project's default key.
func (s service) hopLogins(ctx context.Context, project string, hops []installer.Endpoint) ([]installer.Endpoint, []installer.Login, *itemError, error) {
	ways, err := s.Ledger.Ways(ctx, project, installer.Through{})
	if err != nil {
		return hops, nil, nil, err
	}
	hops = slices.Clone(hops)
	logins := make([]installer.Login, len(hops))
	for i, hop := range hops {
		for _, w := range ways {
			if w.Fail == nil && installer.SameHops(w.Hops, hops[:i+1]) {
				hops[i].HostKey = cmp.Or(hop.HostKey, w.Hops[i].HostKey)
			}
		}
		if _, found := installer.LoginOf(ways, hops[:i+1]); found {
			continue
		}
		hops[i] = hop
		var ok bool
		if logins[i], ok = s.DefaultLogin(project); !ok {
			return hops, nil, itemFault(ItemInstallerCredentialMissing, "no password or key is kept for the installer on the way any more"), nil
		}
	}
	return hops, logins, nil, nil
}
