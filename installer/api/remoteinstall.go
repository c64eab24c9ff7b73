package api

import (
	"cmp"
	"context"
	"errors"

	"tripod/installer"
)

// planRemoteInstall makes one invocation per entry of remote_install_meta.
func planRemoteInstall(ctx context.Context, s service, project string, req *createRequest) ([]planned, error) {
	way, err := s.way(ctx, project, req.instanceIDs)
	if err != nil {
		return nil, err
	}
	plan := make([]planned, len(req.hosts))
	ids := make([]string, len(req.hosts))
	for i := range req.hosts {
		host := req.hosts[i].Host
		host.ID, host.Type = installer.InstanceID(project, host.Address, host.Port), installer.ECS
		hops, noWay := way.to(&host)
		to := host // where what is kept would be sent
		switch known, err := s.Ledger.HostAt(ctx, project, host); {
		case err == nil: // its id may be one that the user gave it
			same, err := s.sameWays(ctx, project, known, host)
			if err != nil {
				return nil, err
			}
			host.KnownAs(known)
			host.Name = cmp.Or(host.Name, known.Name)
			if to = host; same { // the installers on the way are as good as those before
				to.Via, to.Through = known.Via, known.Through
				to.TakePins(known)
				host.HostKey = to.HostKey
			}
		case !errors.Is(err, installer.ErrNotFound):
			return nil, err
		}
		host.Name = cmp.Or(host.Name, host.Address)
		host.DeriveIPs()
		creds, noLogin, err := s.login(ctx, project, to, req.hosts[i])
		if err != nil {
			return nil, err
		}
		creds.Via = hops
		p := planned{credentials: creds}
		p.refused = cmp.Or(s.denied(host.Address), noWay, noLogin)
		p.inv.Host, ids[i] = host, host.ID
		plan[i] = p
	}
	fitted, err := s.fitting(ctx, project, s.spec(req), ids)
	if err != nil {
		return nil, err
	}
	for i := range plan {
		spec, noPackage, err := fitted.on(ctx, ids[i])
		if err != nil {
			return nil, err
		}
		plan[i].inv.Spec, plan[i].refused = spec, cmp.Or(plan[i].refused, noPackage)
	}
	return plan, nil
}

// login is what gets into the host: what the entry brings, else what is kept
// for the host, with its sudo password, else the project's default key. An entry
// that asks for a key (remote_use_pem) and brings none means the default key. The
// hops of the kept one are not its matter.
func (s service) login(ctx context.Context, project string, to installer.Host, e installer.HostEntry) (installer.Credentials, *itemError, error) {
	if !e.Credentials.Login.IsZero() {
		return e.Credentials, nil, nil
	}
	if !e.DefaultKey {
		creds, err := s.Ledger.HostCredentials(ctx, project, to)
		switch {
		case err == nil && !creds.Login.IsZero():
			return installer.Credentials{Login: creds.Login, SudoPassword: creds.SudoPassword}, nil, nil
		case err != nil && !credentialMissing(err):
			return installer.Credentials{}, nil, err
		}
	}
	if login, ok := s.DefaultLogin(project); ok {
		return installer.Credentials{Login: login}, nil, nil
	}
	return installer.Credentials{}, itemFault(ItemCredentialMissing, "credential-missing: no password or key was given or is kept, and the project has no default key"), nil
}
