package sshconn

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

// openSession opens a session channel under g. Where the server refuses though
// it opened one before, it may be that it allows only one (MaxSessions 1) and
// still counts that: then the earlier ones are brought to their end.
func (c *Conn) openSession(ctx context.Context, g *guard) (ssh.Channel, <-chan *ssh.Request, *installer.Failure) {
	ch, reqs, err := c.ssh.OpenChannel("session", nil)
	for try := range 4 {
		if !refused(err) || !c.hadSession.Load() {
			break
		}
		c.endSFTP()
		c.leaving.Load().wait(c)
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try) * 50 * time.Millisecond):
		}
		// sshd frees the place only after it has worked off what it has read
		// so far; an answer comes when it has.
		_, _, _ = c.ssh.SendRequest("keepalive@openssh.com", true, nil)
		ch, reqs, err = c.ssh.OpenChannel("session", nil)
	}
	c.hadSession.Store(true)
	if err == nil {
		return ch, reqs, nil
	}
	if oe, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		return nil, nil, failf(installer.KindChannelDenied, err, "the server opens no session: %s (%s)", oe.Reason, quote(oe.Message))
	}
	switch {
	case ctx.Err() != nil:
		return nil, nil, ctxFailure(ctx, "while opening a session")
	case g.fired.Load() && !g.silent():
		return nil, nil, failf(installer.KindChannelDenied, err, "the server is there but opened no session within %s", c.limits.Channel)
	}
	return nil, nil, c.lost("while opening a session")
}

func refused(err error) bool {
	_, ok := errors.AsType[*ssh.OpenChannelError](err)
	return ok
}

// departure is a channel that we have closed and the server has not yet.
type departure struct{ over chan struct{} }

// wait waits until the server has closed it too, for as long as the caller's
// guard keeps the connection.
func (d *departure) wait(c *Conn) {
	if d == nil {
		return
	}
	select {
	case <-d.over:
	case <-c.dead:
	}
}

// abandon leaves a channel whose end is of no interest.
func (c *Conn) abandon(ch ssh.Channel, reqs <-chan *ssh.Request) {
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
			d := &departure{over: make(chan struct{})}
			c.leaving.Store(d)
			go func() { // until the server closes it too, or the connection ends
				ssh.DiscardRequests(reqs)
				close(d.over)
				c.leaving.CompareAndSwap(d, nil)
			}()
			return
		}
	}
}

// closeChannel says goodbye on a channel, which is a write and may block.
func (c *Conn) closeChannel(ch ssh.Channel) {
	t := time.AfterFunc(cancelGrace, func() { c.kill("the connection stood still") })
	_ = ch.Close()
	t.Stop()
}
