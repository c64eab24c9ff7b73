// Command tripod sets up the telescope agent, or any other one, on fleets of
// hosts over SSH: as a batch tool that works from a hosts file, and as a
// daemon that serves the Cloud Eye agent-task API. Both faces are thin: they
// turn flags, files and requests into batches for the one engine in package
// installer, and show what it stored.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"tripod/installer"
)

func main() { os.Exit(run(context.Background(), os.Args[1:])) }

// run is main without the process around it: it returns the exit code.
func run(ctx context.Context, args []string) int {
	ctx, stop := untilSignal(ctx)
	defer stop()
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	if err := dropEmptyVariables(); err != nil {
		return report(a.stderr, err)
	}

	var c cli
	left := -1 // kong's --help asks to exit in the middle of parsing
	parser, err := kong.New(&c,
		kong.Name("tripod"),
		kong.Description(description),
		kong.DefaultEnvars("TRIPOD"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Writers(a.stdout, a.stderr),
		kong.Exit(func(code int) { left = code }),
		flagVars(),
	)
	if err != nil {
		return report(a.stderr, err)
	}
	parsed, err := parser.Parse(args)
	if left >= 0 {
		return left
	}
	if err != nil {
		return report(a.stderr, usageError(onlyLikelySuggestions(err), "see `tripod --help`"))
	}
	a.setUp(c.common)
	command := parsed.Selected().Name
	if err := a.connect(ctx, c.serverFlags, command); err != nil {
		return report(a.stderr, err)
	}
	if err := a.useProject(c.projectFlag, command); err != nil {
		return report(a.stderr, err)
	}
	ctx = installer.WithActor(ctx, actor(os.Getenv))
	parsed.BindTo(ctx, (*context.Context)(nil))
	return report(a.stderr, a.gone(ctx, parsed.Run(a)))
}

// flagVars are what the flags' help and defaults name by ${…}.
func flagVars() kong.Vars {
	return kong.Vars{
		"state_dir": defaultStateDir(), "parallel": fmt.Sprint(defaultParallel), "formats": formatNames(), "user": defaultUser,
	}
}

// dropEmptyVariables makes `TRIPOD_X= tripod …` mean what it means to people:
// not given. Kong would take an empty state folder to be the current one.
func dropEmptyVariables() error {
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); value == "" && strings.HasPrefix(name, "TRIPOD_") {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// report tells err on w and returns the exit code that it stands for.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	code, known := classify(err)
	if known.err != nil {
		tell(w, known)
	}
	return code
}

// classify is the one mapping from errors to exit codes.
func classify(err error) (int, *exitError) {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code, e
	}
	code := codeOf(err)
	return code, &exitError{code: code, err: err}
}
