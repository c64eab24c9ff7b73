package sshconn

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

// directTCPIP is the payload of a direct-tcpip channel (RFC 4254, 7.2).
type directTCPIP struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

var ErrForwardTimeout = errors.New("no answer to the request to connect") // the server did not answer

// Forward opens a TCP connection from the server's side. Its error is no Failure,
// since only the caller knows whose fault it is.
func (c *Conn) Forward(ctx context.Context, host string, port uint16, limit time.Duration) (net.Conn, error) {
	ch, reqs, err := c.openForward(ctx, host, port, limit)
	if err != nil {
		return nil, err
	}
	return c.forwarded(ch, reqs), nil
}

type openResult struct {
	ch   ssh.Channel
	reqs <-chan *ssh.Request
	err  error
}

// openForward requests the channel. A request cannot be taken back: after limit or ctx a
// goroutine waits for the answer and closes what then comes.
func (c *Conn) openForward(ctx context.Context, host string, port uint16, limit time.Duration) (ssh.Channel, <-chan *ssh.Request, error) {
	result := make(chan openResult)
	abandoned := make(chan struct{})
	defer close(abandoned)
	go func() {
		ch, reqs, err := c.ssh.OpenChannel("direct-tcpip", ssh.Marshal(directTCPIP{host, uint32(port), "127.0.0.1", 0}))
		select {
		case result <- openResult{ch, reqs, err}:
		case <-abandoned:
			if err == nil {
				c.discard(ch, reqs)
			}
		}
	}()
	select {
	case r := <-result:
		return r.ch, r.reqs, r.err
	case <-time.After(limit):
		return nil, nil, ErrForwardTimeout
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

const forwardBuffer = 16 << 10

// forwarded gives a channel deadlines and a Close that does not block, by way of a net.Pipe. Its
// goroutines end when the server closes the channel, or with the connection.
func (c *Conn) forwarded(ch ssh.Channel, reqs <-chan *ssh.Request) net.Conn {
	near, far := net.Pipe()
	go ssh.DiscardRequests(reqs)
	pass := func(to io.Writer, from io.Reader) {
		_, _ = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, forwardBuffer))
		_ = far.Close()
	}
	go func() {
		pass(ch, far)
		c.closeChannel(ch)
	}()
	go pass(far, ch)
	return near
}

// CanForward asks the server for a connection to a port of its own where nothing listens. One
// that forwards to certain addresses only (PermitOpen) counts as one that does not forward.
func (c *Conn) CanForward(ctx context.Context) error {
	if fail := c.ready(ctx, "before a request to forward"); fail != nil {
		return fail
	}
	c.StartKeepalive()
	defer c.StopKeepalive()
	ch, reqs, err := c.openForward(ctx, "127.0.0.1", 1, c.limits.Channel)
	if err == nil {
		c.discard(ch, reqs)
		return nil
	}
	if oe, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		if oe.Reason == ssh.ConnectionFailed {
			return nil
		}
		return Failf(installer.KindChannelDenied, err, "the server forwards no TCP connections: %s (%s)", oe.Reason, Quote(oe.Message))
	}
	switch {
	case ctx.Err() != nil:
		return ContextFailure(ctx, "while waiting for a forwarding")
	case errors.Is(err, ErrForwardTimeout):
		return Failf(installer.KindChannelDenied, err, "the server did not answer a request to forward within %s", c.limits.Channel)
	}
	return c.Lost("while waiting for a forwarding")
}
