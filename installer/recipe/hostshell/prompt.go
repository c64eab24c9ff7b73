package hostshell

import (
	"bytes"
	"io"
	"sync"
	"time"

	"tripod/installer"
)

const (
	// sudoPrompt is the prompt that sudo is given on a terminal.
	sudoPrompt = "tripod-asks:"
	// promptWait is how long to wait for it: PAM may use a prompt of its own.
	promptWait = 3 * time.Second
)

// prompter types the password into a terminal when sudo asks for it: sudo
// discards what was typed before. When sudo asks again the password was wrong,
// and the input ends. It is the standard input of a command, and filters its
// standard output.
type prompter struct {
	out    io.Writer
	secret installer.Secret
	asked  chan struct{} // one for each question
	over   chan struct{}
	end    sync.Once

	seen  []byte // the end of what came, in which a prompt may begin
	typed bool
	rest  []byte // of the password, not read yet
}

func newPrompter(out io.Writer, secret installer.Secret) *prompter {
	return &prompter{out: out, secret: secret, asked: make(chan struct{}, 2), over: make(chan struct{})}
}

// Write looks for the prompt and passes everything else on.
func (p *prompter) Write(b []byte) (int, error) {
	p.seen = append(p.seen, b...)
	for {
		at := bytes.Index(p.seen, []byte(sudoPrompt))
		if at < 0 {
			break
		}
		p.seen = p.seen[at+len(sudoPrompt):]
		select {
		case p.asked <- struct{}{}:
		default: // asked often enough
		}
	}
	keep := min(len(p.seen), len(sudoPrompt)-1)
	p.seen = append(p.seen[:0:0], p.seen[len(p.seen)-keep:]...)
	return p.out.Write(bytes.ReplaceAll(b, []byte(sudoPrompt), nil))
}

// Read is called by one goroutine only.
func (p *prompter) Read(b []byte) (int, error) {
	if !p.typed {
		wait := time.NewTimer(promptWait)
		defer wait.Stop()
		select {
		case <-p.asked:
		case <-wait.C:
		case <-p.over:
			return 0, io.EOF
		}
		p.typed, p.rest = true, []byte(p.secret.Reveal()+"\n")
	}
	if len(p.rest) > 0 {
		n := copy(b, p.rest)
		p.rest = p.rest[n:]
		return n, nil
	}
	select {
	case <-p.asked:
	case <-p.over:
	}
	return 0, io.EOF
}

// close ends a Read that waits.
func (p *prompter) close() { p.end.Do(func() { close(p.over) }) }
