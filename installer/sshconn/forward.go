package sshconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

// direct is the payload of a direct-tcpip channel (RFC 4254, 7.2).
type direct struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

type opened struct {
	ch   ssh.Channel
	reqs <-chan *ssh.Request
	err  error
}

var errForwardTimeout = errors.New("the installer did not answer the request to connect")

// forward opens a TCP connection from the server's side. The request cannot
// be taken back, so where limit or ctx end the wait, a goroutine waits for the
// answer and closes what then comes; it ends with the connection at latest.
func (c *Conn) forward(ctx context.Context, host string, port uint16, limit time.Duration) (ssh.Channel, <-chan *ssh.Request, error) {
	res := make(chan opened)
	gone := make(chan struct{})
	defer close(gone)
	go func() {
		ch, reqs, err := c.ssh.OpenChannel("direct-tcpip", ssh.Marshal(direct{host, uint32(port), "127.0.0.1", 0}))
		select {
		case res <- opened{ch, reqs, err}:
		case <-gone:
			if err == nil {
				c.abandon(ch, reqs)
			}
		}
	}()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case o := <-res:
		return o.ch, o.reqs, o.err
	case <-t.C:
		return nil, nil, errForwardTimeout
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// CanForward tells whether the server opens TCP connections for us, by asking
// it for one to a port of its own where nothing listens. Nil: it does. A
// server that restricts forwarding to certain addresses (PermitOpen) counts as
// one that does not.
func (c *Conn) CanForward(ctx context.Context) error {
	if fail := c.canForward(ctx); fail != nil {
		return fail
	}
	return nil
}

func (c *Conn) canForward(ctx context.Context) *installer.Failure {
	if ctx.Err() != nil {
		return ctxFailure(ctx, "before asking for a forwarding")
	}
	if !c.alive() {
		return c.lost("before asking for a forwarding")
	}
	c.watch()
	defer c.unwatch()
	ch, reqs, err := c.forward(ctx, "127.0.0.1", 1, c.limits.Channel)
	if err == nil {
		c.abandon(ch, reqs)
		return nil
	}
	if oe, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		if oe.Reason == ssh.ConnectionFailed {
			return nil
		}
		return failf(installer.KindChannelDenied, err, "the server forwards no TCP connections: %s (%s)", oe.Reason, quote(oe.Message))
	}
	switch {
	case ctx.Err() != nil:
		return ctxFailure(ctx, "while asking for a forwarding")
	case errors.Is(err, errForwardTimeout):
		return failf(installer.KindChannelDenied, err, "the server did not answer a request to forward within %s", c.limits.Channel)
	}
	return c.lost("while asking for a forwarding")
}

// dialThrough connects to a target by way of an installer and waits for a
// place among the handshakes that go through it.
func (d *Dialer) dialThrough(ctx context.Context, via *shared, to installer.Endpoint) (net.Conn, *installer.Failure, whose) {
	addresses, fail := d.addressesBehind(ctx, via, to)
	if fail != nil {
		return nil, fail, theTargets
	}
	var ch ssh.Channel
	var reqs <-chan *ssh.Request
	until := time.Now().Add(d.limits.Connect) // for all addresses: who has the name may give it many
	for i, address := range addresses {
		var err error
		if ch, reqs, err = via.conn.forward(ctx, address, to.Port, time.Until(until)); err == nil {
			break
		}
		oe, ok := errors.AsType[*ssh.OpenChannelError](err)
		if i == len(addresses)-1 || !ok || oe.Reason != ssh.ConnectionFailed { // else the next one may do
			fail, fault := forwardFailure(ctx, via, to, err, d.limits.Connect)
			return nil, fail, fault
		}
	}
	nc := newHopConn(via.conn, ch, reqs, to.HostPort())
	select {
	case via.slots <- struct{}{}:
		return &slotConn{Conn: nc, slots: via.slots}, nil, theTargets
	case <-ctx.Done():
		_ = nc.Close()
		return nil, ctxFailure(ctx, "while waiting for a handshake through "+via.name), theTargets
	}
}

// forwardFailure classifies the refusal of a direct-tcpip channel.
func forwardFailure(ctx context.Context, via *shared, to installer.Endpoint, err error, limit time.Duration) (*installer.Failure, whose) {
	target := to.HostPort() + " from installer " + via.name
	oe, ok := errors.AsType[*ssh.OpenChannelError](err)
	switch {
	case ok && oe.Reason == ssh.ConnectionFailed:
		return failf(connectKind(oe.Message), err, "%s: %s", target, quote(oe.Message)), theTargets
	case ok:
		return failf(installer.KindChannelDenied, err, "installer %s does not forward to %s: %s (%s)", via.name, to.HostPort(), oe.Reason, quote(oe.Message)), theForwardings
	case ctx.Err() != nil:
		return ctxFailure(ctx, "while connecting to "+target), theTargets
	case errors.Is(err, errForwardTimeout) && via.conn.answers(ctx, min(limit, answerWithin)):
		return failf(installer.KindUnreachable, err, "%s: no answer within %s", target, limit), theTargets
	case ctx.Err() != nil:
		return ctxFailure(ctx, "while connecting to "+target), theTargets
	case errors.Is(err, errForwardTimeout):
		return failf(installer.KindUnreachable, err, "installer %s does not answer any more: no connection to %s within %s, and no answer to a keepalive", via.name, to.HostPort(), limit), theInstallers
	}
	f := via.conn.lost(fmt.Sprintf("before it connected to %s", to.HostPort()))
	return atInstaller(via.name, f), theForwardings
}

// connectKind reads the words of the installer's connect(2), as servers send
// them along.
func connectKind(text string) installer.Kind {
	switch low := strings.ToLower(text); {
	case strings.Contains(low, "refused"):
		return installer.KindRefused
	case strings.Contains(low, "name or service"), strings.Contains(low, "name resolution"),
		strings.Contains(low, "unknown host"), strings.Contains(low, "no such host"), strings.Contains(low, "no address associated"):
		return installer.KindResolve
	}
	return installer.KindUnreachable
}

// atInstaller says that it was the installer, not the target.
func atInstaller(name string, f *installer.Failure) *installer.Failure {
	g := *f
	g.Detail = "installer " + name + ": " + f.Detail
	return &g
}
