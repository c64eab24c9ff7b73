package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/session"
	"tripod/cmd/tripod/internal/term"
	"tripod/installer/control"
	"tripod/installer/plaintext"
)

type logsCmd struct {
	ID  string `arg:"" help:"An invocation, or a host of the newest batches."`
	Raw bool   `help:"Write the bytes exactly as the host printed them; not to a terminal."`
}

func (logsCmd) Help() string {
	return `Control characters are shown as escapes; secrets were removed before the log
was stored. Example:
  tripod logs 10.0.0.7`
}

func (c *logsCmd) Run(ctx context.Context, s *session.Session) error {
	if c.Raw && term.IsTerminal(s.Stdout) {
		return exit.UsageError(errors.New("--raw does not write to a terminal: what a host printed could change its settings"), "redirect the output into a file, or leave --raw out")
	}
	return s.Read(ctx, func(client *control.Client) error {
		inv, err := session.FindInvocation(ctx, client, c.ID)
		if err != nil {
			return err
		}
		log, err := client.Log(ctx, client.Project(), inv.ID)
		if err != nil {
			return err
		}
		defer log.Close()
		to := io.WriteCloser(plaintext.NewWriter(s.Stdout))
		if c.Raw {
			to = rawWriter{s.Stdout}
		}
		n, err := io.Copy(to, log)
		if err := errors.Join(err, to.Close()); err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if n == 0 {
			s.Notef("%s (%s): no output", inv.Host.Label(), inv.ID)
		}
		return nil
	})
}

type rawWriter struct{ io.Writer }

func (rawWriter) Close() error { return nil }
