package api

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"tripod/installer"
	"tripod/installer/meta"
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
		host := remoteHost(project, req.hosts[i])
		var hops []installer.Login
		host.Via, hops = way.to(host)
		kept := false // is what is kept for this machine, reached this way?
		switch known, err := s.Ledger.HostAt(ctx, project, host); {
		case err == nil: // its id may be one that the user gave it
			kept = known.SameMachine(host)
			host.KnownAs(known)
		case !errors.Is(err, installer.ErrNotFound):
			return nil, err
		}
		host.DeriveIPs()
		login, noLogin, err := s.login(ctx, project, host.ID, kept, req.hosts[i])
		if err != nil {
			return nil, err
		}
		p := planned{credentials: installer.Credentials{Login: login, Via: hops}}
		p.refused = cmp.Or(s.denied(host.Address), way.refused, noLogin)
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

// remoteHost is a host as its entry describes it. The same project, address
// and port are always the same instance.
func remoteHost(project string, h meta.Host) installer.Host {
	host := installer.Host{
		ID:       installer.InstanceID(project, h.Address, h.Port),
		Name:     h.Name,
		Type:     installer.ECS,
		Endpoint: installer.Endpoint{Address: h.Address, Port: h.Port, User: h.User},
	}
	return host
}

// login is what gets into the host: what the entry brings, else what is kept
// for the host, else the project's default key. An entry that asks for a key
// (remote_use_pem) and brings none means the default key. kept: what is kept may
// be sent there.
func (s service) login(ctx context.Context, project, id string, kept bool, h meta.Host) (installer.Login, *itemError, error) {
	if !h.Login.IsZero() {
		return h.Login, nil, nil
	}
	if !h.UsePEM && kept {
		creds, err := s.Ledger.HostCredentials(ctx, project, id)
		switch {
		case err == nil && !creds.Login.IsZero():
			return creds.Login, nil, nil
		case err != nil && !credentialMissing(err):
			return installer.Login{}, nil, err
		}
	}
	if login, ok := s.DefaultLogin(project); ok {
		return login, nil, nil
	}
	return installer.Login{}, itemFault(ItemCredentialMissing, "credential-missing: no password or key was given or is kept, and the project has no default key"), nil
}

// way is how the hosts of a request are reached: the hops, first one first,
// and the login of each; or why there is none.
type way struct {
	hops    []installer.Endpoint
	logins  []installer.Login
	refused *itemError
}

// way chooses the installer: of those named, else of the project's, the first
// one whose credentials are still kept. With none set, the daemon is itself
// the jump host.
func (s service) way(ctx context.Context, project string, named []string) (way, error) {
	candidates, refused, err := s.candidates(ctx, project, named)
	if err != nil {
		return way{}, err
	}
	for _, host := range candidates {
		creds, err := s.Ledger.InstallerCredentials(ctx, project, host.ID)
		switch {
		case err == nil && len(creds.Via) == len(host.Via):
			return way{
				hops:   append(slices.Clone(host.Via), host.Endpoint),
				logins: append(slices.Clone(creds.Via), creds.Login),
			}, nil
		case err != nil && !credentialMissing(err):
			return way{}, err
		}
		refused = itemFault(ItemInstallerCredentialMissing, "no password or key is kept for the installer "+host.ID+" any more")
	}
	return way{refused: refused}, nil
}

// candidates are the hosts that may be the installer, in order of preference.
func (s service) candidates(ctx context.Context, project string, named []string) ([]installer.Host, *itemError, error) {
	installers, err := s.Ledger.Installers(ctx, project)
	if err != nil || len(named) == 0 {
		return installers, nil, err
	}
	var hosts []installer.Host
	for _, id := range named {
		// An installer is reached as it was when it was made one.
		if i := slices.IndexFunc(installers, func(h installer.Host) bool { return h.ID == id }); i >= 0 {
			hosts = append(hosts, installers[i])
			continue
		}
		host, err := s.Ledger.KnownHost(ctx, project, id)
		switch {
		case err == nil:
			hosts = append(hosts, host)
		case !errors.Is(err, installer.ErrNotFound):
			return nil, nil, err
		}
	}
	return hosts, itemFault(ItemUnknownInstaller, "the installer named by instance_ids is no known instance of this project"), nil
}

// to is the way to one host. One that is itself a hop is reached as that hop is.
func (w way) to(host installer.Host) ([]installer.Endpoint, []installer.Login) {
	n := slices.IndexFunc(w.hops, func(hop installer.Endpoint) bool {
		return hop.Address == host.Address && hop.Port == host.Port
	})
	if n < 0 {
		n = len(w.hops)
	}
	return w.hops[:n:n], w.logins[:n:n]
}
