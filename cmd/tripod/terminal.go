package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"tripod/installer"
)

// This file has all rules about terminals: what counts as one, how wide it
// is, and how a secret is asked for.

// isTerminal reports whether f, a reader or writer, is a terminal.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// canRedraw reports whether w is a terminal that understands cursor movement.
func canRedraw(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("TERM") != "dumb"
}

// screenSize of w in columns and lines; 80 by 24 where it cannot be asked.
func screenSize(w io.Writer) (columns, lines int) {
	if file, ok := w.(*os.File); ok {
		if c, l, err := term.GetSize(int(file.Fd())); err == nil && c > 0 && l > 0 {
			return c, l
		}
	}
	return 80, 24
}

var (
	errNoTerminal  = errors.New("there is no terminal to ask on")
	errPromptEnded = errors.New("nothing was entered")
)

// askSecret asks on the controlling terminal, whatever stdin and stdout are,
// and reads a line without echo, byte for byte. It returns early when ctx ends
// or at Ctrl-C.
func askSecret(ctx context.Context, question string) (installer.Secret, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return installer.Secret{}, fmt.Errorf("%w: %w", errNoTerminal, err)
	}
	defer tty.Close()
	restore, err := echoOff(tty)
	if err != nil {
		return installer.Secret{}, fmt.Errorf("%w: %w", errNoTerminal, err)
	}
	defer restore()
	defer context.AfterFunc(ctx, func() { _ = tty.SetReadDeadline(time.Unix(1, 0)) })()

	fmt.Fprintf(tty, "%s: ", question)
	defer fmt.Fprint(tty, "\r\n")
	line, err := readSecretLine(tty)
	if ctx.Err() != nil {
		return installer.Secret{}, context.Cause(ctx)
	}
	if err != nil {
		return installer.Secret{}, fmt.Errorf("%s: %w", question, err)
	}
	return installer.NewSecret(string(line)), nil
}

// echoOff makes tty raw. It keeps the descriptor non-blocking, so that a read
// can be interrupted.
func echoOff(tty *os.File) (restore func(), err error) {
	raw, err := tty.SyscallConn()
	if err != nil {
		return nil, err
	}
	var before *term.State
	var rawErr error
	if err := raw.Control(func(fd uintptr) { before, rawErr = term.MakeRaw(int(fd)) }); err != nil {
		return nil, err
	}
	if rawErr != nil {
		return nil, rawErr
	}
	return func() {
		_ = raw.Control(func(fd uintptr) { _ = term.Restore(int(fd), before) })
	}, nil
}

// readSecretLine reads up to the end of the line from a raw terminal. The
// usual keys work: backspace, Ctrl-U (all), Ctrl-C and Ctrl-D (give up).
func readSecretLine(r io.Reader) ([]byte, error) {
	const longest = 64 << 10
	var line []byte
	key := make([]byte, 1)
	for {
		if _, err := io.ReadFull(r, key); err != nil {
			return nil, errPromptEnded
		}
		switch key[0] {
		case '\r', '\n':
			if len(line) == 0 {
				return nil, errPromptEnded
			}
			return line, nil
		case 0x03:
			return nil, installer.ErrShutdown
		case 0x04:
			return nil, errPromptEnded
		case 0x15:
			line = line[:0]
		case 0x08, 0x7f:
			_, n := utf8.DecodeLastRune(line)
			line = line[:len(line)-n]
		default:
			if len(line) == longest {
				return nil, fmt.Errorf("more than %d bytes", longest)
			}
			line = append(line, key[0])
		}
	}
}
