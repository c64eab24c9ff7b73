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

// policyError is a refusal by Config.Policy, on its way through net.Dialer.
type policyError struct {
	addr netip.AddrPort
	err  error
}

func (e *policyError) Error() string { return e.err.Error() }
func (e *policyError) Unwrap() error { return e.err }

func (d *Dialer) dialDirect(ctx context.Context, addr string) (net.Conn, error) {
	nd := net.Dialer{
		Timeout: d.limits.Connect,
		ControlContext: func(_ context.Context, _, address string, raw syscall.RawConn) error {
			if err := d.allow(address); err != nil {
				return err
			}
			// A full send buffer that nobody acknowledges ends here too.
			setUserTimeout(raw, d.limits.Connect+d.limits.Keepalive)
			return nil
		},
	}
	return nd.DialContext(ctx, "tcp", addr)
}

// allow asks the policy about "ip:port", as it will really be dialled.
func (d *Dialer) allow(address string) error {
	if d.cfg.Policy == nil {
		return nil
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if pe := d.denied(ap); pe != nil {
		return pe
	}
	return nil
}

// denied is the policy's refusal of an address, or nil.
func (d *Dialer) denied(ap netip.AddrPort) *policyError {
	ap = netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	if err := d.cfg.Policy(ap); err != nil {
		return &policyError{ap, err}
	}
	return nil
}

// dialFailure classifies what net.Dialer returned.
func dialFailure(ctx context.Context, address string, err error) *installer.Failure {
	if ctx.Err() != nil {
		return sshconn.ContextFailure(ctx, "while connecting to "+address)
	}
	if pe, ok := errors.AsType[*policyError](err); ok {
		return policyFailure(pe)
	}
	fail := func(kind installer.Kind, what string) *installer.Failure {
		return sshconn.Failf(kind, err, "%s: %s", address, what)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		switch {
		case dns.IsNotFound:
			return fail(installer.KindResolve, "no such host name")
		case dns.IsTimeout:
			return fail(installer.KindResolve, "the name server did not answer in time")
		}
		return fail(installer.KindResolve, "the host name cannot be resolved")
	}
	switch {
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

func policyFailure(pe *policyError) *installer.Failure {
	return sshconn.Failf(installer.KindPolicyDenied, pe.err, "%s: %s", pe.addr, pe.err)
}
