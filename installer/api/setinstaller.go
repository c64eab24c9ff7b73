package api

import (
	"context"
	"net/netip"

	"tripod/installer"
)

// planSetRemoteInstaller makes one invocation per known host that is to become
// an installer of the project.
func planSetRemoteInstaller(ctx context.Context, s service, project string, req *createRequest) ([]planned, error) {
	spec := s.spec(req)
	spec.Script, spec.Packages, spec.Online = nil, nil, nil // nothing is installed on it
	plan := make([]planned, len(req.instanceIDs))
	for i, id := range req.instanceIDs {
		host, creds, refused, err := s.known(ctx, project, id)
		if err != nil {
			return nil, err
		}
		plan[i] = planned{inv: installer.Invocation{Host: host, Spec: spec}, credentials: creds, refused: refused}
	}
	return plan, nil
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
