package hostshell

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"strings"

	"tripod/installer"
	"tripod/installer/lazyregexp"
)

// Rights is how the host's scripts get the rights that they need.
type Rights int

const (
	LoginRights  Rights = iota // those of the login: root, or on purpose not root
	FreeSudo                   // sudo asks for nothing
	PasswordSudo               // sudo reads a password
	TerminalSudo               // sudo wants a terminal, and may read a password
)

type Conn interface {
	Exec(ctx context.Context, cmd installer.Command) (int, error)
}

// Shell runs the scripts of scripts/host on one connection.
type Shell struct {
	Rights Rights
	// Folder of a user who needs sudo, made by Enter: host.sh, uploads.
	Folder string

	conn     Conn
	nonce    string
	password installer.Secret
	settings string
}

// New returns the Shell of a new connection. The password is for sudo; settings are the agent's.
func New(conn Conn, password installer.Secret, settings string) *Shell {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return &Shell{conn: conn, nonce: hex.EncodeToString(b), password: password, settings: settings}
}

// Tag distinguishes temporary names of different connections.
func (s *Shell) Tag() string { return s.nonce[:12] }

func (s *Shell) HasPassword() bool { return !s.password.IsZero() }

// Reply is what a host script returned besides its findings.
type Reply struct {
	Code    int
	Noise   string // output outside of findings
	Stderr  string // the end of it
	Written int64  // bytes of followed output
}

// Run runs a verb and passes each finding on. Without sudo its files are sent on standard input;
// with sudo they are on the host since Enter. An error is the connection's.
func (s *Shell) Run(ctx context.Context, out io.Writer, each func(Finding), files []string, verb string, args ...string) (Reply, error) {
	words := append([]string{verb}, args...)
	if s.Rights == LoginRights {
		return s.script(ctx, out, each, s.assignments()+program(files...), words)
	}
	cmd := installer.Command{PTY: s.Rights == TerminalSudo}
	start := startFreeSudo
	switch {
	case s.Rights == PasswordSudo:
		start = startPasswordSudo
		cmd.Stdin = strings.NewReader(s.password.Reveal() + "\n")
	case s.Rights == TerminalSudo && s.HasPassword(): // else perhaps only the terminal was missing
		start = startTerminalSudo
	}
	line, err := commandLine(start, append([]string{s.Folder + "/host.sh"}, words...)...)
	if err != nil {
		return Reply{}, err
	}
	cmd.Line = line
	return s.exec(ctx, cmd, out, each)
}

// Enter is the first contact of a user who will need sudo.
func (s *Shell) Enter(ctx context.Context, each func(Finding), args ...string) (Reply, error) {
	text := "nonce=" + s.nonce + "\ntext=" + Quote(s.assignments()+program(allFiles...)) + "\n" +
		program("lib.sh", "enter.sh", "clean.sh")
	return s.script(ctx, nil, each, text, append([]string{"enter"}, args...))
}

// Leave removes the folder of Enter, as the user who made it.
func (s *Shell) Leave(ctx context.Context) error {
	text := "nonce=" + s.nonce + "\n" + program("lib.sh", "clean.sh")
	_, err := s.script(ctx, nil, nil, text, []string{"leave", "dir=" + s.Folder})
	return err
}

func (s *Shell) script(ctx context.Context, out io.Writer, each func(Finding), text string, words []string) (Reply, error) {
	line, err := commandLine(startScript, words...)
	if err != nil {
		return Reply{}, err
	}
	return s.exec(ctx, installer.Command{Line: line, Stdin: strings.NewReader(text)}, out, each)
}

func (s *Shell) exec(ctx context.Context, cmd installer.Command, out io.Writer, each func(Finding)) (Reply, error) {
	stdout := newFrames(s.nonce, out, each)
	var stderr installer.Tail
	cmd.Stdout, cmd.Stderr = stdout, &stderr
	if cmd.PTY && s.HasPassword() {
		asking, cancel := context.WithCancel(ctx)
		defer cancel()
		p := newPrompter(asking, stdout, s.password)
		cmd.Stdin, cmd.Stdout = p, p
	}
	code, err := s.conn.Exec(ctx, cmd)
	noise, written := stdout.close()
	return Reply{Code: code, Noise: noise, Stderr: stderr.String(), Written: written}, err
}

func (s *Shell) assignments() string {
	return "nonce=" + s.nonce + "\nsettings=" + Quote(s.settings) + "\n"
}

// The starts of all command lines. `exec` spares a process.
const (
	startScript       = "exec sh -s"
	startFreeSudo     = "exec sudo -n sh"
	startPasswordSudo = "exec sudo -k -S -p '' sh"
	startTerminalSudo = "exec sudo -k -S -p " + sudoPrompt + " sh"
)

// plainWord means itself in sh, csh, fish and all others.
var plainWord = lazyregexp.New(`^[A-Za-z0-9._/+:@,-][A-Za-z0-9._/+:@,=-]*$`)

func commandLine(start string, words ...string) (string, error) {
	line := start
	for _, word := range words {
		if !plainWord.MatchString(word) {
			return "", installer.Fail(installer.KindInternal, "%q is not allowed in a command line", word)
		}
		line += " " + word
	}
	return line, nil
}
