package sshdial

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshconn"
)

// responseLimit is how long a jump host has to respond to a keepalive after it
// did not connect to a target in time.
const responseLimit = 3 * time.Second

// forward connects to a target through a jump host.
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

// forwardFailure classifies the error of Conn.Forward.
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

// connectKind classifies the jump host's error message of connect(2), as
// servers pass it on.
func connectKind(message string) installer.Kind {
	switch {
	case containsAny(message, "refused"):
		return installer.KindRefused
	case containsAny(message, "name or service", "name resolution", "unknown host", "no such host", "no address associated"):
		return installer.KindResolve
	}
	return installer.KindUnreachable
}

// onJumpHost says that it happened on the jump host, not the target.
func onJumpHost(name string, f *installer.Failure) *installer.Failure {
	g := *f
	g.Detail = "jump host " + name + ": " + f.Detail
	return &g
}

func containsAny(text string, words ...string) bool {
	text = strings.ToLower(text)
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
