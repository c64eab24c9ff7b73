package sshdial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshconn"
)

const responseLimit = 3 * time.Second // to a keepalive, after a jump host did not connect to a target in time

func (d *Dialer) forward(ctx context.Context, via *sharedConn, to installer.Endpoint) (net.Conn, *installer.Failure, fault) {
	addresses, fail := d.forwardAddresses(ctx, via, to)
	if fail != nil {
		return nil, fail, faultTarget
	}
	var err error
	until := time.Now().Add(d.limits.Connect) // for all addresses: the owner of the name decides how many
	for _, address := range addresses {
		var nc net.Conn
		if nc, err = via.conn.Forward(ctx, address, to.Port, time.Until(until)); err == nil {
			return nc, nil, 0
		}
		if oe, ok := errors.AsType[*ssh.OpenChannelError](err); !ok || oe.Reason != ssh.ConnectionFailed {
			break // no other address would do better
		}
	}
	fail, cause := forwardFailure(ctx, via, to, err, d.limits.Connect)
	return nil, fail, cause
}

func forwardFailure(ctx context.Context, via *sharedConn, to installer.Endpoint, err error, limit time.Duration) (*installer.Failure, fault) {
	target := to.HostPort() + " from jump host " + via.name
	oe, refused := errors.AsType[*ssh.OpenChannelError](err)
	timedOut := errors.Is(err, sshconn.ErrForwardTimeout)
	responds := timedOut && via.conn.Responds(ctx, min(limit, responseLimit))
	switch {
	case refused && oe.Reason == ssh.ConnectionFailed:
		return sshconn.Failf(connectKind(oe.Message), err, "%s: %s", target, sshconn.Quote(oe.Message)), faultTarget
	case refused:
		return sshconn.Failf(installer.KindChannelDenied, err, "jump host %s does not forward to %s: %s (%s)", via.name, to.HostPort(), oe.Reason, sshconn.Quote(oe.Message)), faultForwarding
	case ctx.Err() != nil:
		return sshconn.ContextFailure(ctx, "while connecting to "+target), faultTarget
	case responds:
		return sshconn.Failf(installer.KindUnreachable, err, "%s: no answer within %s", target, limit), faultTarget
	case timedOut:
		return sshconn.Failf(installer.KindUnreachable, err, "jump host %s does not respond any more: no connection to %s within %s, and no answer to a keepalive", via.name, to.HostPort(), limit), faultJumpHost
	}
	return onJumpHost(via.name, via.conn.Lost("before it connected to "+to.HostPort())), faultForwarding
}

// connectKind classifies the jump host's message of connect(2), as servers pass it on.
func connectKind(message string) installer.Kind {
	switch {
	case sshconn.ContainsAny(message, "refused"):
		return installer.KindRefused
	case sshconn.ContainsAny(message, "name or service", "name resolution", "unknown host", "no such host", "no address associated"):
		return installer.KindResolve
	}
	return installer.KindUnreachable
}

func onJumpHost(name string, f *installer.Failure) *installer.Failure {
	g := *f
	g.Detail, g.JumpHost = "jump host "+name+": "+f.Detail, true
	return &g
}

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
