// Command tripod installs the telescope agent, or any other one, on fleets of hosts
// over SSH: as a batch tool that works from a hosts file, and as a daemon that serves the
// Cloud Eye agent-task API.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/flags"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/engine"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], session.Tuning{})) }

// run is main without the process around it: it returns the exit code.
func run(ctx context.Context, args []string, tuning session.Tuning) int {
	ctx, stop := untilSignal(ctx)
	defer stop()
	s := session.New(os.Stdin, os.Stdout, os.Stderr, versionWord())
	s.Tuning = tuning
	dropEmptyVariables()

	var given session.Flags
	left := -1 // kong's --help asks to exit in the middle of parsing
	parse := func(some []command) (*kong.Context, error) {
		given = session.Flags{}
		return newParser(&given, some,
			kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
			kong.Writers(s.Stdout, s.Stderr),
			kong.Exit(func(code int) { left = code }),
		).Parse(args)
	}
	// Kong takes longer to build all commands than many a command takes to run.
	named := slices.DeleteFunc(slices.Clone(commands), func(c command) bool { return !slices.Contains(args, c.name) })
	if len(named) == 0 {
		named = commands
	}
	parsed, err := parse(named)
	if err != nil && left < 0 {
		parsed, err = parse(commands) // the error suggests what could have been meant
	}
	if left >= 0 {
		return left
	}
	if err != nil {
		return exit.Report(s.Stderr, exit.UsageError(onlyLikelySuggestions(err), "see `tripod --help`"))
	}
	if err := s.Open(ctx, given, parsed.Selected().Name); err != nil {
		return exit.Report(s.Stderr, err)
	}
	ctx = installer.WithActor(ctx, installer.Principal{Kind: installer.UserPrincipal, Name: session.User()}.String())
	parsed.BindTo(ctx, (*context.Context)(nil))
	return exit.Report(s.Stderr, s.Unanswered(ctx, parsed.Run(s)))
}

func flagVars() kong.Vars {
	return kong.Vars{
		"state_dir": session.DefaultStateDir(), "parallel": fmt.Sprint(installer.DefaultParallel),
		"limits": installer.DefaultLimits(), "refusals": fmt.Sprint(engine.MaxRefusals), "formats": flags.FormatNames(), "user": flags.DefaultUser,
	}
}

// dropEmptyVariables makes `TRIPOD_X= tripod …` mean what it means to people:
// not given. Kong would take an empty state folder to be the current one.
func dropEmptyVariables() {
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); value == "" && strings.HasPrefix(name, "TRIPOD_") {
			_ = os.Unsetenv(name) // it fails for no name that is there
		}
	}
}

// untilSignal returns a context that ends, with ErrShutdown as its cause, at
// the first SIGINT, SIGTERM or SIGHUP. From then on signals have their own
// effect again: a second one ends the process at once.
func untilSignal(parent context.Context) (context.Context, func()) {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup it stays ignored
		signals = append(signals, syscall.SIGHUP)
	}
	signaled, stop := signal.NotifyContext(parent, signals...)
	ctx, cancel := context.WithCancelCause(parent)
	context.AfterFunc(signaled, func() {
		stop()
		cancel(installer.ErrShutdown)
	})
	return ctx, stop
}
