package sshconn

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

// Exec returns a command's exit code, 128+n for signal n, once its output has ended or been
// drained for Limits.ExitGrace. channel-denied: it did not start; lost-contact: it may have, or
// output is missing. Neither writer is used after it has returned.
func (c *Conn) Exec(ctx context.Context, cmd installer.Command) (int, error) {
	code, fail := c.exec(ctx, cmd)
	if fail != nil {
		return -1, fail
	}
	return code, nil
}

func (c *Conn) exec(ctx context.Context, cmd installer.Command) (int, *installer.Failure) {
	if fail := c.ready(ctx, "before a command"); fail != nil {
		return 0, fail
	}
	c.StartKeepalive()
	defer c.StopKeepalive()
	s, fail := c.start(ctx, cmd)
	if fail != nil {
		return 0, fail
	}
	return s.wait(ctx)
}

type session struct {
	c       *Conn
	ch      ssh.Channel
	reqs    <-chan *ssh.Request
	out     *output
	drained <-chan struct{}
	kill    <-chan struct{}
}

func (c *Conn) start(ctx context.Context, cmd installer.Command) (*session, *installer.Failure) {
	g := c.guard(ctx, c.limits.Channel, fmt.Sprintf("no session within %s", c.limits.Channel))
	defer g.done()
	ch, reqs, fail := c.openSession(ctx, g)
	if fail != nil {
		return nil, fail
	}
	request := func(name string, payload []byte) (fail *installer.Failure) {
		ok, err := ch.SendRequest(name, true, payload)
		switch {
		case err == nil && ok:
			return nil
		case ctx.Err() != nil:
			fail = ContextFailure(ctx, "while starting a command")
		case err == nil:
			fail = Failf(installer.KindChannelDenied, nil, "the server refused the request %q on a session", name)
		case g.fired.Load():
			fail = Failf(installer.KindLostContact, err, "the server did not confirm the start of a command within %s", c.limits.Channel)
		default:
			fail = c.Lost("while starting a command")
		}
		c.discard(ch, reqs)
		return fail
	}
	if cmd.PTY {
		if fail := request("pty-req", ptyRequest); fail != nil {
			return nil, fail
		}
	}
	if fail := request("exec", ssh.Marshal(struct{ Command string }{cmd.Line})); fail != nil {
		return nil, fail
	}
	s := &session{c: c, ch: ch, reqs: reqs, out: newOutput(cmd), kill: cmd.Kill}
	s.drained = s.out.copyFrom(ch)
	if cmd.Stdin == nil {
		_ = ch.CloseWrite()
	} else {
		go func() {
			_, _ = io.Copy(ch, cmd.Stdin)
			_ = ch.CloseWrite()
		}()
	}
	return s, nil
}

func (s *session) wait(ctx context.Context) (int, *installer.Failure) {
	code, fail := s.status(ctx)
	if fail == nil || fail.Kind == installer.KindLostContact {
		select {
		case <-s.drained:
		case <-time.After(s.c.limits.ExitGrace):
		case <-ctx.Done():
		}
	}
	if fail == nil && s.c.Broken() {
		// The exit code is known, but output may be missing.
		fail = s.c.Lost("before the end of a command's output")
	}
	s.out.close()
	s.c.discard(s.ch, s.reqs)
	ended := fail == nil && code != 0 || fail != nil && fail.Kind == installer.KindLostContact
	if ended && s.out.expired() {
		return 0, expiredFailure()
	}
	return code, fail
}

func expiredFailure() *installer.Failure {
	return Failf(installer.KindPasswordExpired, nil, "the server runs no command before the password is changed")
}

func (s *session) status(ctx context.Context) (int, *installer.Failure) {
	for {
		select {
		case req, ok := <-s.reqs:
			if !ok {
				if s.c.Broken() {
					return 0, s.c.Lost("before the command's exit status came")
				}
				return 0, Failf(installer.KindLostContact, installer.ErrNoExitStatus, "%v", installer.ErrNoExitStatus)
			}
			if code, ok := exitCode(req); ok {
				return code, nil
			}
			if req.WantReply {
				_ = req.Reply(false, nil)
			}
		case <-s.kill:
			s.kill = nil
			_, _ = s.ch.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{"KILL"}))
		case <-s.out.passwordDialogue:
			return 0, expiredFailure()
		case <-ctx.Done():
			return 0, ContextFailure(ctx, "while a command ran")
		}
	}
}

func exitCode(req *ssh.Request) (int, bool) {
	switch req.Type {
	case "exit-status":
		if len(req.Payload) >= 4 {
			return int(binary.BigEndian.Uint32(req.Payload)), true
		}
	case "exit-signal":
		var m struct {
			Name string
			Rest []byte `ssh:"rest"`
		}
		if ssh.Unmarshal(req.Payload, &m) == nil {
			return 128 + signalNumbers[m.Name], true
		}
	}
	return 0, false
}

var signalNumbers = map[string]int{
	"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9,
	"USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15,
}
