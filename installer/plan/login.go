package plan

import (
	"cmp"
	"errors"
	"slices"

	"tripod/installer"
)

// login is what gets into a host: what the entry brings, else what is kept for the
// host, with its sudo password, else the project's default key.
func (q *planning) login(to installer.Host, e installer.HostEntry) (installer.Credentials, *Refusal, error) {
	if !e.Credentials.Login.IsZero() {
		return e.Credentials, nil, nil
	}
	if !e.DefaultKey {
		kept, err := q.kept(to)
		if err != nil || !kept.Login.IsZero() {
			return kept, nil, err
		}
	}
	if login, ok := q.DefaultLogin(q.Project); ok {
		return installer.Credentials{Login: login}, nil, nil
	}
	return installer.Credentials{}, refuse(CredentialMissing, "credential-missing: no password or key was given or is kept, and the project has no default key"), nil
}

// kept is what is kept for a host, as far as it may be sent there; zero: nothing.
func (q *planning) kept(to installer.Host) (installer.Credentials, error) {
	creds, err := q.Ledger.HostCredentials(q.ctx, q.Project, to)
	if credentialMissing(err) {
		return installer.Credentials{}, nil
	}
	return creds, err
}

// credentialMissing tells "nothing is kept" from "cannot be read".
func credentialMissing(err error) bool {
	f, ok := errors.AsType[*installer.Failure](err)
	return errors.Is(err, installer.ErrNotFound) || ok && f.Kind == installer.KindCredentialMissing
}

// complete fills in what the credentials that are kept for a known host lack: the
// project's default key, and the logins of the hops on the way.
func (q *planning) complete(host *installer.Host, creds installer.Credentials) (installer.Credentials, *Refusal, error) {
	if creds.Login.IsZero() {
		login, ok := q.DefaultLogin(q.Project)
		if !ok {
			return creds, refuse(CredentialMissing, "credential-missing: no password or key is kept for this instance (any more), and the project has no default key"), nil
		}
		creds = installer.Credentials{Login: login}
	}
	refused, err := q.noInstallerLeft(host)
	if refused == nil && err == nil && len(creds.Via) != len(host.Via) {
		host.Via, creds.Via, refused, err = q.hopLogins(host.Via)
	}
	return creds, refused, err
}

// hopLogins finds the login for each hop on the way to a known host. That of one
// of the project's installers is left out: it is looked up when the host is dialled,
// and goes to a server with the installer's host key, so a hop without a pin gets
// that. Another hop has the project's default key.
func (q *planning) hopLogins(hops []installer.Endpoint) ([]installer.Endpoint, []installer.Login, *Refusal, error) {
	routes, err := q.Ledger.Routes(q.ctx, q.Project, installer.RouteChoice{})
	if err != nil {
		return hops, nil, nil, err
	}
	hops = slices.Clone(hops)
	logins := make([]installer.Login, len(hops))
	for i, hop := range hops {
		for _, w := range routes {
			if w.Fail == nil && installer.SameHops(w.Hops, hops[:i+1]) {
				hops[i].HostKey = cmp.Or(hop.HostKey, w.Hops[i].HostKey)
			}
		}
		if _, found := installer.HopLogin(routes, hops[:i+1]); found {
			continue
		}
		hops[i] = hop
		var ok bool
		if logins[i], ok = q.DefaultLogin(q.Project); !ok {
			return hops, nil, refuse(InstallerCredentialMissing, "no password or key is kept for the installer on the way any more"), nil
		}
	}
	return hops, logins, nil, nil
}
