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
	kill     chan struct{} // closed when the host is to kill the command

	ended chan struct{} // closed when the command has ended; then these are set:
	code  int
	err   error
}

func (s *Shell) converse(ctx context.Context, line string) *conversation {
	ctx, cancel := context.WithCancelCause(ctx)
	c := &conversation{
		input: &input{texts: make(chan []byte), eof: make(chan struct{}), over: make(chan struct{})}, answer: newAnswers(s.Become, s.Terminal),
		sent: map[string]bool{}, startUp: s.Limits.StartUp, cancel: cancel, kill: make(chan struct{}), ended: make(chan struct{}),
	}
	cmd := installer.Command{
		Line: line, PTY: s.Terminal, Kill: c.kill,
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
	c.awaitEnd()
}

func (c *conversation) awaitEnd() {
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

var errEchoed = errors.New("what was sent came back")

// awaitRoot answers questions for a password until root's shell says that it is there.
func (c *conversation) awaitRoot(ctx context.Context, s *Shell, way Way) error {
	password := s.password
	c.preamble = startUp
	if way.Become == AsLogin {
		return nil
	}
	c.say(ctx, []byte(startUp))
	c.preamble = goLine
	limit := time.NewTimer(s.Limits.StartUp)
	defer limit.Stop()
	starts, tooLate := c.answer.starts, ErrStartUp
	answered, guessed, told := false, false, way.Become != SudoSu
	var answer string
	silence := time.NewTimer(promptWait)
	defer silence.Stop()
	for {
		asks := false
		select {
		case <-c.answer.ready:
			return nil
		case <-starts:
			starts, tooLate = nil, ErrSudo
			limit.Reset(s.Limits.Sudo)
		case <-limit.C:
			c.end(nil)
			return tooLate
		case <-c.answer.spoke:
			silence.Reset(promptWait)
			if uid, started := c.answer.started(); started && way.Su.Free && !told {
				c.say(ctx, []byte(loginShellLine(c.answer.terminal, uid)))
				told = true
			}
		case <-c.answer.asked:
			switch {
			case guessed: // what was sent before is the answer to this; a terminal has dropped it
				guessed, asks = false, c.answer.terminal
			case answered || password.IsZero():
				// A second try with the same password would only help to lock the account.
				return c.refused(answered)
			default:
				asks = true
			}
		case <-silence.C: // PAM may ask in words of its own
			asks = !answered && !password.IsZero() && c.answer.waitsForAnswer()
			guessed = guessed || asks
		case <-c.answer.echo:
			c.end(nil)
			return errEchoed
		case <-c.ended:
			select {
			case <-c.answer.ready: // said before it ended
				return nil
			default:
			}
			if c.err != nil {
				return c.err
			}
			return c.refusal(answered, false)
		case <-ctx.Done():
			c.end(context.Cause(ctx))
			return c.err
		}
		if asks {
			if !answered {
				answer = password.Reveal() + "\n"
				if uid, _ := c.answer.started(); !told {
					answer += loginShellLine(c.answer.terminal, uid) // sudo is known to take the password, and leaves the line
					told = true
				}
				answered = true
			}
			c.say(ctx, []byte(answer))
		}
	}
}

// refused ends a program that asks for a password that we have not, or once more.
func (c *conversation) refused(answered bool) error {
	if answered {
		// sudo says and logs what it thinks of it. sudo-rs would take the end of its input for
		// one more wrong password, and not see the end of the connection.
		if c.answer.isSudoRs() {
			close(c.kill)
			c.awaitEnd()
		} else {
			c.endInput()
		}
	}
	c.end(nil)
	return c.refusal(true, answered)
}

func (c *conversation) refusal(asked, rejected bool) error {
	said, listed := c.said()
	p := &c.answer.program
	return &NotRoot{Ran: p.begun, Ways: p.ways, Asked: asked, Rejected: rejected, Code: c.code, Said: said, Listed: listed}
}

// said is what the program has said before the command ended; if it was not started, what the host has.
func (c *conversation) said() (said, stdout string) {
	reply, _ := c.answer.detach()
	stdout = strings.Replace(reply.Noise, startLine, "", 1)
	if p := &c.answer.program; p.begun {
		return p.words(), stdout
	}
	return reply.Stderr + "\n" + stdout, stdout
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
