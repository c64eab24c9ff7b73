package recipe

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"tripod/installer"
	"tripod/scripts"
)

// rights is how the host's scripts get the rights that they need.
type rights int

const (
	direct       rights = iota // as who we are: root, or on purpose not root
	sudoFreely                 // sudo asks nothing
	sudoPassword               // sudo reads a password
	sudoTerminal               // sudo wants a terminal, and may read a password
)

// hostShell runs the scripts of scripts/host on one connection.
type hostShell struct {
	conn     patient
	nonce    string
	rights   rights
	spot     string           // folder of a user who needs sudo: host.sh, uploads
	password installer.Secret // for sudo
	settings string           // the agent's
}

func newNonce() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// plainWord is what may stand in a command line: it means itself in sh, csh,
// fish and all others.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9._/+:@,-][A-Za-z0-9._/+:@,=-]*$`)

// The beginnings of all command lines. `exec` spares a process.
const (
	plainly    = "exec sh -s"
	bySudo     = "exec sudo -n sh"
	byPassword = "exec sudo -k -S -p '' sh"
	onTerminal = "exec sudo -k -S -p " + sudoPrompt + " sh"
)

// commandLine joins words for a login shell of any make.
func commandLine(beginning string, words ...string) (string, error) {
	line := beginning
	for _, word := range words {
		if !plainWord.MatchString(word) {
			return "", installer.Fail(installer.KindInternal, "%q cannot stand in a command line", word)
		}
		line += " " + word
	}
	return line, nil
}

// reply is what a host script answered.
type reply struct {
	findings
	code    int
	noise   string // output outside of findings
	stderr  string
	written int64 // bytes of followed output
}

// do runs verb with args. Without sudo, the files that it is in come on
// standard input; with sudo they are on the host since enter. An error is the
// connection's.
func (h *hostShell) do(ctx context.Context, out io.Writer, files []string, verb string, args ...string) (reply, error) {
	cmd := installer.Command{}
	beginning, words := plainly, append([]string{verb}, args...)
	switch h.rights {
	case direct:
		cmd.Stdin = strings.NewReader(h.assignments() + hostText(files...))
	case sudoFreely:
		beginning, words = bySudo, append([]string{h.spot + "/host.sh"}, words...)
	case sudoPassword:
		beginning, words = byPassword, append([]string{h.spot + "/host.sh"}, words...)
		cmd.Stdin = strings.NewReader(h.password.Reveal() + "\n")
	case sudoTerminal:
		cmd.PTY = true
		beginning, words = onTerminal, append([]string{h.spot + "/host.sh"}, words...)
		if h.password.IsZero() {
			beginning = bySudo // only the terminal was missing, it is hoped
		}
	}
	line, err := commandLine(beginning, words...)
	if err != nil {
		return reply{}, err
	}
	cmd.Line = line
	return h.exec(ctx, cmd, out)
}

// enter is the first contact of a user who will need sudo.
func (h *hostShell) enter(ctx context.Context, args ...string) (reply, error) {
	line, err := commandLine(plainly, append([]string{"enter"}, args...)...)
	if err != nil {
		return reply{}, err
	}
	text := "nonce=" + h.nonce + "\ntext=" + quote(h.assignments()+hostText(allFiles...)) + "\n" +
		hostText("lib.sh", "enter.sh", "clean.sh")
	return h.exec(ctx, installer.Command{Line: line, Stdin: strings.NewReader(text)}, nil)
}

// leave removes the folder of enter, as the user who made it.
func (h *hostShell) leave(ctx context.Context) error {
	line, err := commandLine(plainly, "leave", "dir="+h.spot)
	if err != nil {
		return err
	}
	text := "nonce=" + h.nonce + "\n" + hostText("lib.sh", "clean.sh")
	_, err = h.exec(ctx, installer.Command{Line: line, Stdin: strings.NewReader(text)}, nil)
	return err
}

func (h *hostShell) exec(ctx context.Context, cmd installer.Command, out io.Writer) (reply, error) {
	var r reply
	stdout := newFrames(h.nonce, out, r.add)
	stderr := &tail{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if cmd.PTY && !h.password.IsZero() {
		p := newPrompter(stdout, h.password)
		defer p.close()
		cmd.Stdin, cmd.Stdout = p, p
	}
	code, err := h.conn.Exec(ctx, cmd)
	noise, written := stdout.close()
	r.code, r.noise, r.stderr, r.written = code, noise, stderr.String(), written
	return r, err
}

// assignments is what the scripts need besides the files themselves.
func (h *hostShell) assignments() string {
	return "nonce=" + h.nonce + "\nsettings=" + quote(h.settings) + "\n"
}

// hostText is the text of files of scripts/host, the call of main after them.
func hostText(files ...string) string {
	var b strings.Builder
	for _, name := range files {
		b.WriteString(hostFiles[name])
	}
	b.WriteString("main \"$@\" </dev/null\nexit\n")
	return b.String()
}

// What each piece of work needs.
var (
	probeFiles  = []string{"lib.sh", "probe.sh", "put_agent"}
	runFiles    = []string{"lib.sh", "run.sh", "runner", "put_agent"}
	attachFiles = []string{"lib.sh", "run.sh"}
	killFiles   = []string{"lib.sh", "kill.sh"}
	verifyFiles = []string{"lib.sh", "verify.sh"}
	cleanFiles  = []string{"lib.sh", "clean.sh"}
	allFiles    = []string{"lib.sh", "probe.sh", "run.sh", "kill.sh", "verify.sh", "clean.sh", "runner", "put_agent"}
)

// hostFiles are the files of scripts/host by name. Two more carry texts that are
// written to the host: "runner" has runner.sh as an assignment, "put_agent" the
// target's scripts in a function.
var hostFiles = readHostFiles()

func readHostFiles() map[string]string {
	files := map[string]string{}
	for name, text := range readScripts(scripts.Host, "host") {
		files[name] = text
	}
	var put strings.Builder
	put.WriteString("put_agent() {\n")
	target := readScripts(scripts.Files, "telescope")
	for _, name := range slices.Sorted(maps.Keys(target)) {
		fmt.Fprintf(&put, "put \"$1/%s\" %s || return\n", name, quote(target[name]))
	}
	put.WriteString("}\n")
	files["put_agent"] = put.String()
	files["runner"] = "runner_text=" + quote(files["runner.sh"]) + "\n"
	return files
}

func readScripts(from fs.FS, folder string) map[string]string {
	entries, err := fs.ReadDir(from, folder)
	if err != nil {
		panic("recipe: embedded scripts: " + err.Error()) // impossible: they are compiled in
	}
	files := map[string]string{}
	for _, entry := range entries {
		text, err := fs.ReadFile(from, folder+"/"+entry.Name())
		if err != nil {
			panic("recipe: embedded scripts: " + err.Error())
		}
		files[entry.Name()] = string(text)
	}
	return files
}

// quote makes one word of text for sh.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
