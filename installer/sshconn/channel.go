package sshconn

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

var sessionPauses = []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond}

// openSession opens a session channel under g. A server that allows only one
// session (MaxSessions 1) refuses while it still counts an earlier one: then
// those are closed first, and it is asked again.
func (c *Conn) openSession(ctx context.Context, g *guard) (ssh.Channel, <-chan *ssh.Request, *installer.Failure) {
	ch, reqs, err := c.ssh.OpenChannel("session", nil)
	for _, pause := range sessionPauses {
		if !refused(err) || !c.hadSession.Load() {
			break
		}
		c.closeSFTP()
		if closing := c.closing.Load(); closing != nil {
			select { // for as long as g keeps the connection
			case <-*closing:
			case <-c.ended:
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		// sshd frees the session only after it has processed all it has read;
		// it answers this request when it has.
		_ = c.ping()
		ch, reqs, err = c.ssh.OpenChannel("session", nil)
	}
	c.hadSession.Store(true)
	if err == nil {
		return ch, reqs, nil
	}
	if oe, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		return nil, nil, Failf(installer.KindChannelDenied, err, "the server opens no session: %s (%s)", oe.Reason, Quote(oe.Message))
	}
	switch {
	case ctx.Err() != nil:
		return nil, nil, ContextFailure(ctx, "while opening a session")
	case g.fired.Load() && !g.silent():
		return nil, nil, Failf(installer.KindChannelDenied, err, "the server responds but opened no session within %s", c.limits.Channel)
	}
	return nil, nil, c.Lost("while opening a session")
}

func refused(err error) bool {
	_, ok := errors.AsType[*ssh.OpenChannelError](err)
	return ok
}

func (c *Conn) discard(ch ssh.Channel, reqs <-chan *ssh.Request) {
	c.closeChannel(ch)
	for {
		select {
		case r, ok := <-reqs:
			if !ok {
				return // closed already, which is the usual case
			}
			if r.WantReply {
				_ = r.Reply(false, nil)
			}
		default:
			closed := make(chan struct{})
			c.closing.Store(&closed)
			go func() { // until the server closes it too, or the connection ends
				ssh.DiscardRequests(reqs)
				close(closed)
			}()
			return
		}
	}
}

// closeChannel closes our side of a channel: a write, which may block.
func (c *Conn) closeChannel(ch ssh.Channel) {
	t := time.AfterFunc(cancelGrace, func() { c.end("the connection stood still") })
	_ = ch.Close()
	t.Stop()
}
