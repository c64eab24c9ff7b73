package sshdial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"

	"tripod/installer"
	"tripod/installer/sshconn"
)

func (d *Dialer) dialDirect(ctx context.Context, addr string) (net.Conn, error) {
	nd := net.Dialer{
		Timeout: d.limits.Connect,
		ControlContext: func(_ context.Context, _, address string, raw syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			if fail := d.denied(ap); fail != nil {
				return fail
			}
			// A full send buffer that nobody acknowledges ends here too.
			setUserTimeout(raw, d.limits.Connect+d.limits.Keepalive)
			return nil
		},
	}
	return nd.DialContext(ctx, "tcp", addr)
}

func (d *Dialer) denied(ap netip.AddrPort) *installer.Failure {
	if d.cfg.Policy == nil {
		return nil
	}
	ap = netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	if err := d.cfg.Policy(ap); err != nil {
		return sshconn.Failf(installer.KindPolicyDenied, err, "%s: %s", ap, err)
	}
	return nil
}

func dialFailure(ctx context.Context, address string, err error) *installer.Failure {
	if ctx.Err() != nil {
		return sshconn.ContextFailure(ctx, "while connecting to "+address)
	}
	if denied, ok := errors.AsType[*installer.Failure](err); ok {
		return denied
	}
	fail := func(kind installer.Kind, what string) *installer.Failure {
		return sshconn.Failf(kind, err, "%s: %s", address, what)
	}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case isDNS && dns.IsNotFound:
		return fail(installer.KindResolve, "no such host name")
	case isDNS && dns.IsTimeout:
		return fail(installer.KindResolve, "the name server did not answer in time")
	case isDNS:
		return fail(installer.KindResolve, "the host name cannot be resolved")
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail(installer.KindRefused, "connection refused")
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return fail(installer.KindUnreachable, "no answer to the TCP connect in time")
	case errors.Is(err, syscall.ECONNRESET): // accepted, and thrown away before we could speak
		return fail(installer.KindThrottled, "connection reset")
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fail(installer.KindThrottled, "this machine is out of file descriptors (ulimit -n)")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fail(installer.KindThrottled, "this machine has no local port left for it")
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return fail(installer.KindUnreachable, errno.Error())
	}
	return fail(installer.KindUnreachable, "no TCP connection")
}
