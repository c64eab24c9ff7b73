package sshconn

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"tripod/installer"
)

// addressesBehind are what an installer is asked to connect to for a target. Where a
// policy is in force it must know where that leads: a name is resolved on this side,
// and the installer gets an address that was allowed. What it would make of a name
// itself (its own loopback, its cloud's metadata service) nobody here could tell.
func (d *Dialer) addressesBehind(ctx context.Context, via *shared, to installer.Endpoint) ([]string, *installer.Failure) {
	if d.cfg.Policy == nil {
		return []string{to.Address}, nil
	}
	addrs := make([]netip.Addr, 1)
	var err error
	if addrs[0], err = netip.ParseAddr(to.Address); err != nil {
		var fail *installer.Failure
		if addrs, fail = d.resolveBehind(ctx, via, to); fail != nil {
			return nil, fail
		}
	}
	var allowed []string
	var denied *policyError
	for _, addr := range addrs {
		addr = addr.Unmap().WithZone("")
		pe, ok := errors.AsType[*policyError](d.allowed(netip.AddrPortFrom(addr, to.Port).String()))
		if !ok {
			allowed = append(allowed, addr.String())
		} else if denied == nil {
			denied = pe
		}
	}
	switch {
	case len(allowed) > 0:
		return allowed, nil
	case denied != nil:
		return nil, policyFailure(denied)
	}
	return nil, unresolvedBehind(via, to, nil)
}

// resolveBehind resolves the name of a target behind an installer, IPv4 first:
// whether the installer's network has IPv6 is not known here.
func (d *Dialer) resolveBehind(ctx context.Context, via *shared, to installer.Endpoint) ([]netip.Addr, *installer.Failure) {
	name := strings.ToLower(strings.TrimSuffix(to.Address, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return nil, failf(installer.KindPolicyDenied, nil, "%s is the installer %s itself: name the host that is meant", to.HostPort(), via.name)
	}
	inTime, cancel := context.WithTimeout(ctx, d.limits.Connect)
	defer cancel()
	addrs, err := d.lookup(inTime, to.Address)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return nil, unresolvedBehind(via, to, err)
	}
	if err != nil {
		return nil, dialFailure(ctx, to.HostPort(), err)
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.Unmap().BitLen() - b.Unmap().BitLen() })
	return addrs, nil
}

func unresolvedBehind(via *shared, to installer.Endpoint, err error) *installer.Failure {
	return failf(installer.KindPolicyDenied, err, "%s: this machine cannot resolve the name, so it is not known where installer %s would connect to: give the host's IP address, or have the name resolved here too (/etc/hosts)", to.HostPort(), via.name)
}

func lookupHere(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}
