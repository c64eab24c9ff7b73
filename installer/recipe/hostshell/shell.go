package hostshell

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"tripod/installer"
)

type Conn interface {
	Exec(ctx context.Context, cmd installer.Command) (int, error)
}

// Shell runs the scripts of scripts/host on one connection, one request at a time.
type Shell struct {
	Way
	Limits installer.Limits // StartUp and Sudo; New sets the defaults

	conn     Conn
	password installer.Secret
	settings string
	tag      string
	talk     *conversation // nil: none is open
	noise    string
}

// New returns the Shell of a new connection, with the login's rights. The password is for
// becoming root; the tag, a few letters, makes names of temporary files unique; settings
// are the agent's.
func New(conn Conn, password installer.Secret, tag, settings string) *Shell {
	return &Shell{Limits: installer.Limits{}.WithDefaults(), conn: conn, password: password, settings: settings, tag: tag}
}

func (s *Shell) HasPassword() bool { return !s.password.IsZero() }

// Request is one verb for the host.
type Request struct {
	Files  []string // of scripts/host, that have the verb
	Verb   string
	Args   []string // NAME=VALUE, of any characters but NUL
	Small  []*File  // contents for the verb
	Output io.Writer
	Each   func(Finding) // not called any more when Ask has returned
	Limit  time.Duration // from when our scripts have begun; 0: none
}

// Reply is what a host answered besides its findings.
type Reply struct {
	Complete bool   // the answer came to its end
	Echoed   bool   // what we sent came back before our scripts began
	Code     int    // of the verb; of the whole command where that has ended
	Noise    string // what was printed before our scripts began
	Stderr   string // the end of it
	Written  int64  // bytes of output
}

// A limit ended the conversation.
var (
	ErrStartUp = errors.New("the login shell has not come to our command")
	ErrSudo    = errors.New("root's shell has not begun")
	ErrVerb    = errors.New("the answer has not come to its end")
)

// Ask opens the conversation if there is none. An error is the connection's, a *NotRoot, a
// limit's, or of kind protocol-error; each ends the conversation, and so does ctx.
func (s *Shell) Ask(ctx context.Context, q Request) (Reply, error) {
	if s.talk != nil && s.talk.hasEnded() { // between two requests
		s.Close()
	}
	if s.talk == nil {
		talk, err := s.open(ctx)
		if errors.Is(err, errEchoed) {
			return Reply{Echoed: true}, nil
		}
		if err != nil {
			return Reply{}, err
		}
		s.talk = talk
	}
	reply, err := s.talk.ask(ctx, q)
	s.noise = reply.Noise
	if !reply.Complete {
		s.Close()
	}
	return reply, err
}

// Noise is what was printed before our scripts began, the last time: by the program that was to
// make us root, if it was started, else by the host.
func (s *Shell) Noise() string { return s.noise }

// Close ends the conversation, and waits for that. The next request opens another.
func (s *Shell) Close() {
	if s.talk != nil {
		s.talk.end(nil)
		s.talk = nil
	}
}

// LastWords ends the conversation in order, and returns the end of what the host has sent to its
// standard error since the last request.
func (s *Shell) LastWords() string {
	if s.talk == nil {
		return ""
	}
	s.talk.endInput()
	reply, _ := s.talk.answer.detach()
	s.Close()
	return reply.Stderr
}

// start starts a command, and waits for root's shell if it is a way to that.
func (s *Shell) start(ctx context.Context, line string, way Way) (*conversation, error) {
	c := s.converse(context.WithoutCancel(ctx), line)
	err := c.awaitRoot(ctx, s, way)
	if err != nil {
		c.end(context.Cause(ctx))
		s.noise, _ = c.said()
	}
	return c, err
}

func (s *Shell) open(ctx context.Context) (*conversation, error) {
	c, err := s.start(ctx, commandLine(s.Way, s.HasPassword()), s.Way)
	if err != nil {
		return nil, err
	}
	c.preamble += "printf '%s\\n' " + c.answer.token() + "\ntag=" + s.tag + "\nsettings=" + Quote(s.settings) + "\n"
	return c, nil
}

// SudoList is what sudo allows, as far as it says. ok: it has said that at all.
func (s *Shell) SudoList(ctx context.Context) (list string, ok bool, err error) {
	c, err := s.start(ctx, listLine(s.HasPassword()), Way{Become: Sudo, Terminal: s.Terminal})
	refusal, refused := errors.AsType[*NotRoot](err)
	switch {
	case !refused:
		c.end(context.Cause(ctx))
		return "", false, err
	case s.Terminal:
		return refusal.Said, refusal.Code == 0, nil
	case refusal.Code == 0:
		return refusal.Listed, true, nil
	}
	return refusal.Said, false, nil
}

func random() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
