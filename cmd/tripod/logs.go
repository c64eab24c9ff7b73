package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tripod/installer/control"
	"tripod/installer/plaintext"
)

type logsCmd struct {
	ID  string `arg:"" help:"An invocation, or a host of the newest batches."`
	Raw bool   `help:"The bytes as they came from the host; not to a terminal."`
}

// Help is shown by `tripod logs --help`.
func (logsCmd) Help() string {
	return `Control characters are shown as escapes, secrets were removed before the log
was written. Example:
  tripod logs 10.0.0.7`
}

// Run prints one log.
func (c *logsCmd) Run(ctx context.Context, a *app) error {
	if c.Raw && a.stdoutIsATerm {
		return usageError(errors.New("--raw does not write to a terminal: what a host printed can change it"), "redirect it into a file, or leave --raw out")
	}
	return a.look(ctx, func(from *control.Client) error { return c.write(ctx, a, from) })
}

func (c *logsCmd) write(ctx context.Context, a *app, l *control.Client) error {
	inv, err := findInvocation(ctx, l, c.ID)
	if err != nil {
		return err
	}
	log, err := l.Log(ctx, l.Project(), inv.ID)
	if err != nil {
		return err
	}
	defer log.Close()
	n, err := c.copy(a.stdout, log)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	if n == 0 {
		a.notef("%s (%s): no output", inv.Host.Label(), inv.ID)
	}
	return nil
}

// copy writes the log raw or escaped and counts its bytes.
func (c *logsCmd) copy(to io.Writer, log io.Reader) (int64, error) {
	if c.Raw {
		return io.Copy(to, log)
	}
	w := plaintext.NewWriter(to)
	n, err := io.Copy(w, log)
	return n, errors.Join(err, w.Close())
}

// logTailSize is how much of a log's end goes into a report.
const logTailSize = 64 << 10

// logTail returns the end of an invocation's log; empty if it has none, or none
// that can be read. A daemon that does not answer is an error: each of the others
// would wait for it again.
func logTail(ctx context.Context, l *control.Client, id string) (string, error) {
	log, err := l.Log(ctx, l.Project(), id)
	if err != nil {
		return "", ifUnanswered(err)
	}
	defer log.Close()
	var tail []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := log.Read(buf)
		tail = append(tail, buf[:n]...)
		if over := len(tail) - logTailSize; over > 0 {
			tail = append(tail[:0], tail[over:]...)
		}
		if err != nil {
			return string(tail), ifUnanswered(err)
		}
	}
}
