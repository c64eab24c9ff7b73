package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/session"
	"tripod/cmd/tripod/internal/term"
	"tripod/installer"
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
	var inv installer.Invocation
	log, err := session.Read(ctx, s, func(client *control.Client) (_ []byte, err error) {
		if inv, err = session.FindInvocation(ctx, client, c.ID); err != nil {
			return nil, err
		}
		log, err := client.Log(ctx, inv.ID)
		if err != nil {
			return nil, err
		}
		defer log.Close()
		return io.ReadAll(log)
	})
	if err != nil {
		return err
	}
	if len(log) == 0 {
		s.Notef("%s (%s): no output", inv.Host.Label(), inv.ID)
	}
	text := string(log)
	if !c.Raw {
		text = plaintext.Text(text)
	}
	if _, err := io.WriteString(s.Stdout, text); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	return nil
}
