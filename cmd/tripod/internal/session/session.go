// Package session connects a command with who has the state folder: a daemon of --server,
// another process on this machine, or this one; and has work done there.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/term"
	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plaintext"
)

// Flags are those of every command.
type Flags struct {
	StateDir string `help:"State folder: batches, results and encrypted credentials (default: ${default})." default:"${state_dir}" type:"path" placeholder:"DIR"`
	Verbose  bool   `short:"v" help:"Log each step and debug messages to stderr."`
	Project  string `placeholder:"P" help:"Project (tenant) to work in (default: \"default\"; with --server, the project of the login). The lists of tokens and keys and the audit log show all projects unless it is given."`
	ServerFlags
}

// Session is what every command works with.
type Session struct {
	Flags Flags
	// Project is the one to work in. Flags.Project is empty where none was named.
	Project string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  *term.Console
	Log     *slog.Logger
	Tuning  Tuning
	Version string

	daemon *control.Client // of --server; nil: the state folder is used
	// Batches that were sent to the process that does the work:
	unconfirmed  string // it is not known whether it has this one
	acknowledged string // the last one that it has: a daemon continues it without us
}

// Tuning is what tests change in the work on hosts. The zero value is the usual.
type Tuning struct {
	Limits        installer.Limits
	AgentSettings string // added to those of the agent's scripts
}

// New makes one. It is of no use before Open.
func New(stdin io.Reader, stdout io.Writer, stderr io.Writer, version string) *Session {
	return &Session{Stdin: stdin, Stdout: stdout, Stderr: &term.Console{To: stderr}, Version: version}
}

// Open applies the flags and connects to the daemon of --server, if there is one.
func (s *Session) Open(ctx context.Context, f Flags, command string) error {
	s.Flags = f
	s.LogAt(slog.LevelWarn)
	if err := s.connect(ctx, command); err != nil {
		return err
	}
	s.Project = cmp.Or(f.Project, installer.DefaultProject)
	switch {
	case !installer.ProjectForm.MatchString(s.Project):
		return exit.Usagef("--project: must be 1–64 letters, digits, '-' or '_'")
	case command == "serve" && f.Project != "":
		return exit.UsageError(errors.New("serve serves every project: --project cannot be given"), "leave --project (TRIPOD_PROJECT) out; each token and key is for one project")
	case s.daemon == nil:
		return nil
	}
	s.Project = s.daemon.Project
	if f.Project != "" && f.Project != s.Project {
		return exit.UsageError(fmt.Errorf("--project %s: the login for %s is for project %s", f.Project, f.Server, s.Project),
			"use a token or key of that project, or leave --project (TRIPOD_PROJECT) out")
	}
	return nil
}

// LogAt sets the level of the log on stderr; --verbose is all of it.
func (s *Session) LogAt(level slog.Level) {
	if s.Flags.Verbose {
		level = slog.LevelDebug
	}
	s.Log = slog.New(slog.NewTextHandler(s.Stderr, &slog.HandlerOptions{Level: level}))
}

// Notef tells the user something on stderr, on a line of its own.
func (s *Session) Notef(format string, args ...any) {
	fmt.Fprintln(s.Stderr, plaintext.Text(fmt.Sprintf(format, args...)))
}

func (s *Session) Print(text string) error {
	if _, err := io.WriteString(s.Stdout, text); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// PrintMade is Print for what could not be made, perhaps.
func (s *Session) PrintMade(text string, err error) error {
	if err != nil {
		return err
	}
	return s.Print(text)
}

// DefaultStateDir is the user's state folder as XDG has it.
func DefaultStateDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "tripod")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	return filepath.Join(home, ".local", "state", "tripod")
}

// User is how the audit log names who runs this program: by the user id of the process,
// which nobody can choose; with sudo's word for who it was.
func User() string {
	name := userName(os.Getuid())
	if by := os.Getenv("SUDO_USER"); by != "" && by != name {
		name += " (sudo " + by + ")"
	}
	return name
}

func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// Unanswered makes one error of all those that say that nobody answers any more: who does
// the work was killed, is being restarted, or the connection is broken.
func (s *Session) Unanswered(ctx context.Context, err error) error {
	lost, ok := errors.AsType[*control.Unanswered](err)
	if !ok {
		return err
	}
	if said, is := errors.AsType[*exit.Error](lost.Err); is { // the folder cannot be opened either
		return said
	}
	who, hint := "the daemon at "+s.Flags.Server, "the batches that it acknowledged continue there: "+s.Command("status", "")
	switch {
	case s.daemon == nil:
		who, hint = "the process that uses the state folder", "to see the result: "+s.Command("status", "")
	case s.unconfirmed != "":
		hint = "it is not known whether it accepted the batch: " + s.Command("status", s.unconfirmed)
	case s.acknowledged != "":
		hint = "it continues by itself: " + s.Command("status", s.acknowledged)
	}
	if ctx.Err() != nil {
		s.Notef("interrupted, and %s does not answer; %s", who, hint)
		return exit.With(exit.Interrupted)
	}
	return &exit.Error{Code: exit.Internal, Err: fmt.Errorf("%s does not answer any more: %w", who, lost.Err), Hint: hint}
}

func ifUnanswered(err error) error {
	if _, ok := errors.AsType[*control.Unanswered](err); ok {
		return err
	}
	return nil
}
