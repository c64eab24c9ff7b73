// Package term has all that is known of terminals: what counts as one, how wide it is,
// a block of lines that is redrawn, and how a secret is asked for.
package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"

	"tripod/installer"
)

func IsTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// CanRedraw reports whether w is a terminal that understands cursor movement.
func CanRedraw(w io.Writer) bool { return IsTerminal(w) && os.Getenv("TERM") != "dumb" }

// Size of w in columns and lines; 80 by 24 where it is unknown.
func Size(w io.Writer) (columns, lines int) {
	if file, ok := w.(*os.File); ok {
		if c, l, err := term.GetSize(int(file.Fd())); err == nil && c > 0 && l > 0 {
			return c, l
		}
	}
	return 80, 24
}

// What AskSecret may fail with.
var (
	ErrNoTerminal  = errors.New("there is no terminal to ask on")
	ErrPromptEnded = errors.New("nothing was entered")
)

// AskSecret asks on the controlling terminal, whatever stdin and stdout are, and reads a
// line without echo. It returns early when ctx ends, as it does at Ctrl-C.
func AskSecret(ctx context.Context, question string) (secret installer.Secret, err error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return secret, fmt.Errorf("%w: %w", ErrNoTerminal, err)
	}
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return secret, errors.Join(fmt.Errorf("%w: %w", ErrNoTerminal, err), tty.Close())
	}
	fmt.Fprintf(tty, "%s: ", question)
	var line []byte
	var readErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		line, readErr = term.ReadPassword(fd)
	}()
	select {
	case <-ctx.Done(): // the read ends with the process
		fmt.Fprintln(tty)
		return secret, errors.Join(context.Cause(ctx), term.Restore(fd, before))
	case <-done:
	}
	fmt.Fprintln(tty)
	_ = tty.Close()
	if len(line) == 0 && (readErr == nil || errors.Is(readErr, io.EOF)) {
		readErr = ErrPromptEnded
	}
	if readErr != nil {
		return secret, fmt.Errorf("%s: %w", question, readErr)
	}
	return installer.NewSecret(string(line)), nil
}

// FirstLine reads a secret from a file: its first line, byte for byte, without the line end.
func FirstLine(file string) (installer.Secret, error) {
	raw, err := SecretFile(file)
	if err != nil {
		return installer.Secret{}, err
	}
	line, _, _ := strings.Cut(raw.Reveal(), "\n")
	line = strings.TrimSuffix(line, "\r")
	switch {
	case line == "":
		return installer.Secret{}, fmt.Errorf("%s: the first line is empty", file)
	case !utf8.ValidString(line):
		return installer.Secret{}, fmt.Errorf("%s: the first line is not UTF-8", file)
	}
	return installer.NewSecret(line), nil
}

// SecretFile reads a file that is one secret.
func SecretFile(file string) (installer.Secret, error) {
	const largest = 64 << 10
	info, err := os.Stat(file)
	if err != nil {
		return installer.Secret{}, err
	}
	if info.Size() > largest {
		return installer.Secret{}, fmt.Errorf("%s: more than %d bytes; is it the right file?", file, largest)
	}
	raw, err := os.ReadFile(file)
	return installer.NewSecret(string(raw)), err
}

// Console is stderr as everything in the program writes to it. It can hold a live block
// of lines at the bottom, which it removes before anything else is printed.
type Console struct {
	To    io.Writer
	mu    sync.Mutex
	block int // lines of the live block on the screen
}

// Write prints p above the live block; the block comes back with the next Draw.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.block == 0 {
		return c.To.Write(p)
	}
	_, err := io.WriteString(c.To, c.erase()+string(p))
	return len(p), err
}

// Draw prints the permanent lines and the live block below them, in one write. The
// lines must fit the screen and be safe to show.
func (c *Console) Draw(permanent, block []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	b.WriteString(c.erase())
	for _, lines := range [][]string{permanent, block} {
		for _, line := range lines {
			b.WriteString(line + "\n")
		}
	}
	c.block = len(block)
	if b.Len() > 0 {
		_, _ = io.WriteString(c.To, b.String())
	}
}

// erase returns what removes the live block. The caller holds mu.
func (c *Console) erase() string {
	if c.block == 0 {
		return ""
	}
	n := c.block
	c.block = 0
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", n)
}
