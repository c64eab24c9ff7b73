package sshdial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"tripod/installer"
	"tripod/installer/sshconn"
)

// forwardAddresses are the addresses a jump host is asked to connect to for a
// target. Where there is a policy, a name is resolved on this side, and the jump
// host gets an allowed address: what it would resolve the name to itself (its
// own loopback, its cloud's metadata service) the policy could not see.
func (d *Dialer) forwardAddresses(ctx context.Context, via *sharedConn, to installer.Endpoint) ([]string, *installer.Failure) {
	if d.cfg.Policy == nil {
		return []string{to.Address}, nil
	}
	addrs := make([]netip.Addr, 1)
	var err error
	if addrs[0], err = netip.ParseAddr(to.Address); err != nil {
		var fail *installer.Failure
		if addrs, fail = d.resolveTarget(ctx, via, to); fail != nil {
			return nil, fail
		}
	}
	var allowed []string
	var denied *installer.Failure
	for _, addr := range addrs {
		fail := d.denied(netip.AddrPortFrom(addr, to.Port))
		if fail == nil {
			allowed = append(allowed, addr.Unmap().WithZone("").String())
		} else if denied == nil {
			denied = fail
		}
	}
	switch {
	case len(allowed) > 0:
		return allowed, nil
	case denied != nil:
		return nil, denied
	}
	return nil, unresolved(via, to, nil)
}

// resolveTarget resolves the name of a target behind a jump host, IPv4 first:
// whether the jump host's network has IPv6 is not known here.
func (d *Dialer) resolveTarget(ctx context.Context, via *sharedConn, to installer.Endpoint) ([]netip.Addr, *installer.Failure) {
	name := strings.ToLower(strings.TrimSuffix(to.Address, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return nil, sshconn.Failf(installer.KindPolicyDenied, nil, "%s is the jump host %s itself: name the host that is meant", to.HostPort(), via.name)
	}
	limited, cancel := context.WithTimeout(ctx, d.limits.Connect)
	defer cancel()
	addrs, err := d.lookup(limited, to.Address)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return nil, unresolved(via, to, err)
	}
	if err != nil {
		return nil, dialFailure(ctx, to.HostPort(), err)
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.Unmap().BitLen() - b.Unmap().BitLen() })
	return addrs, nil
}

func unresolved(via *sharedConn, to installer.Endpoint, err error) *installer.Failure {
	return sshconn.Failf(installer.KindPolicyDenied, err, "%s: this machine cannot resolve the name, so it is not known where jump host %s would connect to: give the host's IP address, or have the name resolved here too (/etc/hosts)", to.HostPort(), via.name)
}

func lookupName(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}
