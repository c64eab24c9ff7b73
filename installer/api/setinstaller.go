package api

import (
	"context"
	"errors"
	"net/netip"

	"tripod/installer"
)

// planSetRemoteInstaller makes one invocation per known host that is to become
// an installer of the project.
func planSetRemoteInstaller(ctx context.Context, s service, project string, req *createRequest) ([]planned, error) {
	spec := s.spec(req)
	spec.Script, spec.Packages = nil, nil // nothing is installed on it
	plan := make([]planned, len(req.instanceIDs))
	for i, id := range req.instanceIDs {
		host, creds, refused, err := s.known(ctx, project, id)
		if err != nil {
			return nil, err
		}
		host.ID = id
		plan[i] = planned{host: host, spec: spec, credentials: creds, refused: refused}
	}
	return plan, nil
}

// known finds a host of the project and how to get in, or why that cannot be.
// Another project's host is as unknown as one that never was.
func (s service) known(ctx context.Context, project, id string) (installer.Host, installer.Credentials, *itemError, error) {
	host, err := s.Ledger.KnownHost(ctx, project, id)
	switch {
	case errors.Is(err, installer.ErrNotFound):
		return host, installer.Credentials{}, itemFault(ItemUnknownInstance, "no such instance in this project"), nil
	case err != nil:
		return host, installer.Credentials{}, nil, err
	}
	if refused := s.denied(host.Address); refused != nil {
		return host, installer.Credentials{}, refused, nil
	}
	creds, err := s.Ledger.HostCredentials(ctx, project, id)
	switch {
	case credentialMissing(err):
		return host, creds, itemFault(ItemCredentialMissing, "no password or key is kept for this instance any more: install it again with one"), nil
	case err != nil:
		return host, creds, nil, err
	}
	return host, creds, nil, nil
}

// denied asks the target policy. A name is judged when it is dialled, by what
// it resolves to then.
func (s service) denied(address string) *itemError {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	if err := s.Policy(addr); err != nil {
		return itemFault(ItemPolicyDenied, string(installer.KindPolicyDenied)+": "+err.Error())
	}
	return nil
}
