package hostshell

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tripod/installer"
)

// conversation is one command on the host, from its start to its end.
type conversation struct {
	input    *input
	answer   *answers
	preamble string          // is sent before the first request
	sent     map[string]bool // files of scripts/host that the host has
	startUp  time.Duration   // for the shell that reads the first request
	cancel   context.CancelCauseFunc

	ended chan struct{} // closed when the command has ended; then these are set:
	code  int
	err   error
}

func (s *Shell) start(ctx context.Context) *conversation {
	ctx, cancel := context.WithCancelCause(ctx)
	c := &conversation{
		input: &input{texts: make(chan []byte), eof: make(chan struct{}), over: make(chan struct{})}, answer: newAnswers(s.Terminal),
		sent: map[string]bool{}, startUp: s.Limits.StartUp, cancel: cancel, ended: make(chan struct{}),
	}
	cmd := installer.Command{
		Line: commandLine(s.Become, s.HasPassword()), PTY: s.Terminal,
		Stdin: c.input, Stdout: writer(c.answer.stdout), Stderr: writer(c.answer.stderr),
	}
	go func() {
		c.code, c.err = s.conn.Exec(ctx, cmd)
		close(c.input.over)
		close(c.ended)
		cancel(nil)
	}()
	return c
}

func (c *conversation) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// end ends the command because of cause, nil if all is well.
func (c *conversation) end(cause error) {
	c.answer.detach()
	c.cancel(cause)
	<-c.ended
}

// endInput lets the command end by itself; not on a terminal, where it goes on waiting.
func (c *conversation) endInput() {
	close(c.input.eof)
	if c.answer.terminal {
		return
	}
	select {
	case <-c.ended:
	case <-time.After(endWait):
	}
}

const endWait = 10 * time.Second // PAM punishes a wrong password with some seconds

func (c *conversation) say(ctx context.Context, text []byte) {
	select {
	case c.input.texts <- text:
	case <-c.ended:
	case <-ctx.Done():
	}
}

func (c *conversation) ask(ctx context.Context, q Request) (Reply, error) {
	done := c.answer.attach(q)
	var late atomic.Bool
	defer time.AfterFunc(c.startUp, func() {
		if !isClosed(c.answer.begins) {
			late.Store(true)
			c.cancel(nil) // whatever waits, also for the host to read
		}
	}).Stop()
	c.say(ctx, []byte(c.preamble+c.files(q)))
	for _, file := range q.Small {
		c.say(ctx, file.text)
	}
	c.say(ctx, []byte(call(q)))
	c.preamble = ""
	var err error
	begins, limit := c.answer.begins, (<-chan time.Time)(nil)
	for waits := true; waits; {
		waits = false
		select {
		case <-done:
		case <-c.ended:
			if late.Load() {
				err = ErrStartUp
			}
		case <-begins:
			if waits, begins = true, nil; q.Limit > 0 {
				limit = time.After(q.Limit)
			}
		case <-limit:
			err = ErrVerb
			c.end(nil)
		case <-c.answer.echo:
			c.end(nil)
			return Reply{Echoed: true}, nil
		case <-ctx.Done():
			c.end(context.Cause(ctx))
		}
	}
	reply, fault := c.answer.detach()
	switch {
	case reply.Complete:
		return reply, nil
	case err != nil:
		return reply, err
	case fault != "":
		c.end(nil)
		return reply, installer.Fail(installer.KindProtocolError, "%s", fault)
	}
	c.end(nil)
	reply.Code = c.code
	return reply, c.err
}

// files are the scripts that a request needs, if the host does not have them yet.
func (c *conversation) files(q Request) string {
	var b strings.Builder
	for _, name := range q.Files {
		if !c.sent[name] {
			c.sent[name] = true
			b.WriteString(hostFiles()[name])
		}
	}
	return b.String()
}

// callFailed ends an answer that the shell itself broke off.
const callFailed = "[ \"$answered\" = yes ] || printf '. 255\\n' >&3\n"

// call is in braces, so that one that is cut short on its way is not run.
func call(q Request) string {
	var b strings.Builder
	b.WriteString("answered=\n{ main " + q.Verb)
	for _, arg := range q.Args {
		b.WriteString(" " + Quote(arg))
	}
	b.WriteString("\n} </dev/null\n" + callFailed)
	return b.String()
}

// ownWords takes what is ours from the words of a host.
var ownWords = strings.NewReplacer(sudoPrompt, "", startLine, "")

var errEchoed = errors.New("what was sent came back")

// awaitRoot answers questions for a password until root's shell says that it is there.
func (c *conversation) awaitRoot(ctx context.Context, s *Shell) error {
	password := s.password
	c.preamble = startUp
	if s.Become == AsLogin {
		return nil
	}
	c.say(ctx, []byte(startUp))
	c.preamble = goLine
	refused := func(rejected bool) error {
		if rejected {
			c.endInput() // so that sudo says and logs what it thinks of it
		}
		c.end(nil)
		reply, _ := c.answer.detach()
		if c.err != nil && !rejected {
			return c.err
		}
		return &NotRoot{Said: ownWords.Replace(reply.Stderr + "\n" + reply.Noise), Rejected: rejected, Code: c.code}
	}
	limit := time.NewTimer(s.Limits.StartUp)
	defer limit.Stop()
	starts, tooLate := c.answer.starts, ErrStartUp
	var silence <-chan time.Time // PAM may ask in words of its own
	answered, early := false, false
	for {
		asked := false
		select {
		case <-c.answer.ready:
			return nil
		case <-starts:
			starts, tooLate = nil, ErrSudo
			limit.Reset(s.Limits.Sudo)
			if !password.IsZero() {
				silence = time.After(promptWait)
			}
			continue
		case <-limit.C:
			c.end(nil)
			return tooLate
		case <-c.answer.asked:
			asked = true
		case <-c.answer.echo:
			c.end(nil)
			return errEchoed
		case <-silence:
		case <-c.ended:
			select {
			case <-c.answer.ready: // said before it ended
				return nil
			default:
				return refused(false)
			}
		case <-ctx.Done():
			c.end(context.Cause(ctx))
			return c.err
		}
		if asked && early {
			early = false // it was slow to ask, and finds the answer
			continue
		}
		// A second try with the same password would only help to lock the account.
		if asked && (answered || password.IsZero()) {
			return refused(answered)
		}
		if !answered {
			c.say(ctx, []byte(password.Reveal()+"\n"))
			answered, early = true, !asked
		}
	}
}

// input is the command's standard input.
type input struct {
	texts chan []byte
	eof   chan struct{} // closed when it ends
	over  chan struct{} // closed when nobody reads it any more
}

// maxPart is how much is written at once, in bytes: for each connection x/crypto keeps two
// buffers of the largest packet that was sent.
const maxPart = 8 << 10

// WriteTo spares io.Copy its buffer.
func (in *input) WriteTo(w io.Writer) (n int64, err error) {
	for {
		select {
		case text := <-in.texts:
			for part := range slices.Chunk(text, maxPart) {
				wrote, err := w.Write(part)
				n += int64(wrote)
				if err != nil {
					return n, err
				}
			}
		case <-in.eof:
			return n, nil
		case <-in.over:
			return n, nil
		}
	}
}

// Read is for who cannot use WriteTo.
func (in *input) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}
