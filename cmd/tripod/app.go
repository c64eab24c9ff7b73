package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"tripod/installer/control"
	"tripod/installer/plaintext"
)

// app is what every command works with: the three streams, the log and the
// state folder.
type app struct {
	stdin    io.Reader
	stdout   io.Writer
	stderr   *console
	log      *slog.Logger
	stateDir string
	verbose  bool

	// daemon is that of --server; nil: the state folder of this machine.
	daemon *control.Client
	server serverFlags
	handed handedOver // to the daemon
	// project is whose everything is; onlyProject the same if the user has named
	// it, for lists that are of all projects otherwise.
	project, onlyProject string

	live          bool // stderr can be redrawn
	stdoutIsATerm bool
}

func newApp(stdin io.Reader, stdout, stderr *os.File) *app {
	return &app{
		stdin:         stdin,
		stdout:        stdout,
		stderr:        &console{to: stderr},
		live:          canRedraw(stderr),
		stdoutIsATerm: isTerminal(stdout),
	}
}

// setUp applies the flags of every command.
func (a *app) setUp(c common) {
	a.stateDir, a.verbose = c.StateDir, c.Verbose
	a.logAt(slog.LevelWarn)
}

// logAt makes the log, on stderr, with the given level or, if --verbose, all of it.
func (a *app) logAt(level slog.Level) {
	if a.verbose {
		level = slog.LevelDebug
	}
	a.log = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// notef tells the user something on stderr, on a line of its own.
func (a *app) notef(format string, args ...any) {
	fmt.Fprintln(a.stderr, plaintext.Text(fmt.Sprintf(format, args...)))
}

// print writes a result to stdout.
func (a *app) print(text string) error {
	if _, err := io.WriteString(a.stdout, text); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
