package hostshell

import (
	"bytes"
	"context"
	"io"
	"time"

	"tripod/installer"
)

const (
	sudoPrompt = "tripod-asks:"  // given to sudo on a terminal
	promptWait = 3 * time.Second // PAM may use a prompt of its own
)

// prompter types the password when sudo asks for it: sudo discards what was typed before. When sudo
// asks again the password was wrong, and the input ends. It is a command's input, and filters its output.
type prompter struct {
	io.Reader
	out   io.Writer
	asked chan struct{} // one for each question
	seen  []byte        // the end of what came, in which a prompt may begin
}

func newPrompter(ctx context.Context, out io.Writer, secret installer.Secret) *prompter {
	r, w := io.Pipe()
	p := &prompter{Reader: r, out: out, asked: make(chan struct{}, 2)}
	context.AfterFunc(ctx, func() { _ = w.Close() })
	go func() {
		select {
		case <-p.asked:
		case <-time.After(promptWait):
		case <-ctx.Done():
			return
		}
		_, _ = io.WriteString(w, secret.Reveal()+"\n")
		select {
		case <-p.asked:
		case <-ctx.Done():
		}
		_ = w.Close()
	}()
	return p
}

func (p *prompter) Write(b []byte) (int, error) {
	p.seen = append(p.seen, b...)
	for {
		_, rest, found := bytes.Cut(p.seen, []byte(sudoPrompt))
		if !found {
			break
		}
		p.seen = rest
		select {
		case p.asked <- struct{}{}:
		default: // asked often enough
		}
	}
	p.seen = bytes.Clone(p.seen[max(0, len(p.seen)-len(sudoPrompt)+1):])
	return p.out.Write(bytes.ReplaceAll(b, []byte(sudoPrompt), nil))
}
