package hostshell

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
)

// testVerbs are verbs of no script.
var testVerbs = map[string]string{
	"test-put":   "do_put() { eval \"content=\\$file_$id\"; printf \"$content\" >\"$root\"; }\n",
	"test-touch": "do_touch() { : >\"$root\"; say end; }\n",
	"test-ours":  "do_ours() { ours \"$from\" && say own; n=0 i=0; while [ $i -lt 200 ]; do ! ours \"$root\" || n=$((n + 1)); i=$((i + 1)); done; say theirs n=$n; }\n",
	"test-break": "do_break() { shopt -s failglob && : /nowhere/*; }\n",
	"test-stray": "do_stray() { echo ': host uid=0'; sh -c 'echo \". 0\"; cat'; say end; }\n",
}

func TestMain(m *testing.M) {
	maps.Copy(hostFiles(), testVerbs)
	goleak.VerifyTestMain(m)
}

// fakeHost is a connection whose commands are this function: it reads what was sent, and answers.
type fakeHost func(cmd installer.Command, sent <-chan string) int

func (h fakeHost) Exec(ctx context.Context, cmd installer.Command) (int, error) {
	sent := make(chan string)
	first := true
	over := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = cmd.Stdin.(io.WriterTo).WriteTo(writer(func(p []byte) {
			if first && string(p) == startUp {
				first = false
				return
			}
			select {
			case sent <- string(p):
			case <-over:
			case <-ctx.Done():
			}
		}))
	}()
	defer close(over)
	code := make(chan int, 1)
	go func() { code <- h(cmd, sent) }()
	select {
	case n := <-code:
		return n, nil
	case <-ctx.Done():
		return -1, ctx.Err()
	}
}

// TestCommandLines pins the exact strings that are sent to hosts.
func TestCommandLines(t *testing.T) {
	t.Parallel()
	const awaits = `while IFS= read -r l; do case $l in tripod-go) exec sh -s -- "${LC_ALL-}" "";; esac; done`
	const start = `exec sh -c 'while IFS= read -r l; do case $l in tripod-go) break;; esac; done; echo tripod-starts; a=${LC_ALL-}; u=$(id -u); t=; if [ -t 0 ]; then t="+i 2>/dev/null"; chmod 600 "$(tty)"; fi; r="echo tripod-ready; while IFS= read -r l; do ` +
		`case \$l in tripod-go) exec /bin/sh $t -s -- \"\$1\" \"\$2\";; esac; done"; [ "$u" = 0 ] && exec /bin/sh -c "$r" sh "$a" 0; ` +
		`LC_ALL=C; export LC_ALL; p=; for w in sudo doas su; do command -v $w >/dev/null 2>&1 && p="$p $w"; done; echo "tripod-ways: $u$p" >&2; `
	const shell = ` /bin/sh -c "$r" sh "$a" "$u"`
	free, paid := SuCmd{"/bin/su -", true}, SuCmd{"/bin/su -", false}
	for _, c := range []struct {
		way      Way
		password bool
		want     string
	}{
		{Way{}, true, "exec sh -c '" + awaits + "'"},
		{Way{Become: Auto}, false, start + `case $p in *sudo*) exec sudo -k -n` + shell + `;; *doas*) exec doas -n` + shell + `;; esac; exit 127'`},
		{Way{Become: Auto}, true, start + `case $p in *sudo*) exec sudo -k -S -p tripod-asks:` + shell + `;; *doas*) exec doas -n` + shell + `;; esac; exit 127'`},
		{Way{Become: Sudo}, false, start + `exec sudo -k -n` + shell + `'`},
		{Way{Become: Sudo, Terminal: true}, true, start + `exec sudo -k -S -p tripod-asks:` + shell + `'`},
		{Way{Become: Doas}, false, start + `exec doas -n` + shell + `'`},
		{Way{Become: Doas, Terminal: true}, true, start + `exec doas` + shell + `'`},
		{Way{Become: Su, Terminal: true}, true, start + `exec env -i PATH="$PATH" LC_ALL=C su -s /bin/sh -c "$r" root sh "$a" "$u"'`},
		{Way{Become: SudoSu, Su: free}, true, start + `exec sudo -k -n /bin/su -'`},
		{Way{Become: SudoSu, Su: paid}, true, start + `exec sudo -k -S -p tripod-asks: /bin/su -'`},
	} {
		line := commandLine(c.way, c.password)
		assert.Equal(t, c.want, line)
		inner := strings.TrimSuffix(strings.TrimPrefix(line, "exec sh -c '"), "'")
		assert.NotContains(t, inner, "'")
		assert.NotContains(t, inner, "!", "csh")
		assert.NotContains(t, inner, "\n")
	}
	assert.Equal(t, start+"sudo -n -l 2>/dev/null || exec sudo -n -v'", listLine(false))
	assert.Equal(t, start+"exec sudo -k -S -p tripod-asks: -l'", listLine(true))
}

// TestPasswordGoesToTheProgramAlone: nothing but the password is sent before root's shell is there, and
// that once, and only after the program has said something that may be a question.
func TestPasswordGoesToTheProgramAlone(t *testing.T) {
	t.Parallel()
	const secret = "s3cret 'word'"
	ways := waysWord + " 1000 sudo su\n"
	toldNothing := func(t *testing.T, sent <-chan string) {
		select {
		case text, ok := <-sent:
			assert.False(t, ok, "%q", text)
		case <-time.After(30 * time.Second):
		}
	}
	// With a terminal all comes by stdout.
	say := func(cmd installer.Command, texts ...string) {
		w := cmd.Stderr
		if cmd.PTY {
			w = cmd.Stdout
		}
		for _, text := range texts {
			_, _ = io.WriteString(w, text)
		}
	}
	ready := func(t *testing.T, cmd installer.Command, sent <-chan string) int {
		_, _ = io.WriteString(cmd.Stdout, readyLine)
		assert.NotContains(t, <-sent, secret)
		return 7
	}
	for name, c := range map[string]struct {
		way  Way
		host func(t *testing.T, cmd installer.Command, sent <-chan string) int
		none bool // no password is there
		want *NotRoot
	}{
		"free": {Way{Become: Sudo}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			_, _ = io.WriteString(cmd.Stdout, "motd\ntripod-re")
			_, _ = io.WriteString(cmd.Stdout, "ady\n")
			assert.NotContains(t, <-sent, secret)
			return 7
		}, false, nil},
		"asks": {Way{Become: Sudo}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, "noise, password: ", ways[:5], ways[5:], "tripod-", "asks:")
			assert.Equal(t, secret+"\n", <-sent)
			return ready(t, cmd, sent)
		}, false, nil},
		"asks in words of its own": {Way{Become: Sudo}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, ways, "Passwort: ")
			assert.Equal(t, secret+"\n", <-sent)
			return ready(t, cmd, sent)
		}, false, nil},
		"asks late": {Way{Become: Sudo}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			time.Sleep(40 * time.Second) // a start-up file
			_, _ = io.WriteString(cmd.Stdout, startLine)
			time.Sleep(40 * time.Second) // PAM
			say(cmd, ways, sudoPrompt)
			assert.Equal(t, secret+"\n", <-sent)
			return ready(t, cmd, sent)
		}, false, nil},
		"asks late, and twice": {Way{Become: Sudo}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			_, _ = io.WriteString(cmd.Stdout, startLine)
			say(cmd, ways, "sudo: unable to resolve host x: ")
			assert.Equal(t, secret+"\n", <-sent, "it may have been asked in other words")
			time.Sleep(40 * time.Second)
			say(cmd, sudoPrompt+"Sorry, try again.\n"+sudoPrompt)
			more, ok := <-sent
			assert.False(t, ok, "the end of input, not %q", more)
			return 1
		}, false, &NotRoot{Ran: true, Ways: []string{"sudo", "su"}, Asked: true, Rejected: true, Code: 1,
			Said: "sudo: unable to resolve host x: Sorry, try again.\n"}},
		"slow, and asks nothing": {Way{Become: Sudo}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, ways)
			toldNothing(t, sent)
			return ready(t, cmd, sent)
		}, false, nil},
		"asks twice": {Way{Become: Sudo}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, ways, sudoPrompt)
			assert.Equal(t, secret+"\n", <-sent)
			say(cmd, "Sorry, try again.\n"+sudoPrompt)
			more, ok := <-sent
			assert.False(t, ok, "the end of input, not %q", more)
			say(cmd, "sudo: 1 incorrect password attempt\n")
			return 1
		}, false, &NotRoot{Ran: true, Ways: []string{"sudo", "su"}, Asked: true, Rejected: true, Code: 1, Said: "Sorry, try again.\nsudo: 1 incorrect password attempt\n"}},
		"sudo-rs takes the end of input for a wrong password": {Way{Become: Sudo}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, ways, "[sudo: "+sudoPrompt, "] Password: ")
			assert.Equal(t, secret+"\n", <-sent)
			say(cmd, "sudo: Authentication failed, try again.\n[sudo: "+sudoPrompt+"] Password: ")
			select {
			case text, ok := <-sent:
				assert.Fail(t, "more than the password was sent", "%q %v", text, ok)
			case <-cmd.Kill:
			}
			return 137
		}, false, &NotRoot{Ran: true, Ways: []string{"sudo", "su"}, Asked: true, Rejected: true, Code: 137, Said: "sudo: Authentication failed, try again.\n"}},
		"asks without need": {Way{Become: Sudo}, func(t *testing.T, cmd installer.Command, _ <-chan string) int {
			say(cmd, ways, "sudo: a password is required\n")
			return 1
		}, true, &NotRoot{Ran: true, Ways: []string{"sudo", "su"}, Code: 1, Said: "sudo: a password is required\n"}},
		"the login is closed": {Way{Become: Sudo}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, "Too many logins; password: ")
			toldNothing(t, sent)
			return 254
		}, false, &NotRoot{Code: 254, Said: "Too many logins; password: \n"}},
		"su": {Way{Become: Su, Terminal: true}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, "password: "+ways, "Last failed login: today\r\nPass", "word: ")
			assert.Equal(t, secret+"\n", <-sent)
			say(cmd, "\r\n")
			return ready(t, cmd, sent)
		}, false, nil},
		"su in other words": {Way{Become: Su, Terminal: true}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, ways, "Kennwort von root eingeben> ")
			assert.Equal(t, secret+"\n", <-sent)
			return ready(t, cmd, sent)
		}, false, nil},
		"su, slow after a notice": {Way{Become: Su, Terminal: true}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, ways, "You must be authorised.\r\n")
			toldNothing(t, sent)
			return ready(t, cmd, sent)
		}, false, nil},
		"su refuses": {Way{Become: Su, Terminal: true}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, ways, "Password: ")
			assert.Equal(t, secret+"\n", <-sent)
			say(cmd, "\r\nsu: Authentication failure\r\n")
			return 1
		}, false, &NotRoot{Ran: true, Ways: []string{"sudo", "su"}, Asked: true, Code: 1, Said: "\nsu: Authentication failure\n"}},
		"doas asks again": {Way{Become: Doas, Terminal: true}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, ways, "\rdoas (ops@web-1) password: ")
			assert.Equal(t, secret+"\n", <-sent)
			say(cmd, "\r\n\rdoas (ops@web-1) password: ")
			toldNothing(t, sent)
			return 1
		}, false, &NotRoot{Ran: true, Ways: []string{"sudo", "su"}, Asked: true, Rejected: true, Code: -1, Said: "\n"}},
		"su without a password": {Way{Become: Su, Terminal: true}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, ways, "Password: ")
			toldNothing(t, sent)
			return 1
		}, true, &NotRoot{Ran: true, Ways: []string{"sudo", "su"}, Asked: true, Code: -1}},
		"the su that sudo allows": {Way{Become: SudoSu, Su: SuCmd{"/bin/su -", true}}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, ways)
			assert.Equal(t, loginShellLine(false, "1000"), <-sent)
			return ready(t, cmd, sent)
		}, false, nil},
		"the su that sudo allows with a password": {Way{Become: SudoSu, Su: SuCmd{"/bin/su -", false}}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
			say(cmd, ways+sudoPrompt)
			assert.Equal(t, secret+"\n"+loginShellLine(false, "1000"), <-sent)
			return ready(t, cmd, sent)
		}, false, nil},
		"the su that sudo allows asks late on a terminal, which drops what came before": {
			Way{Become: SudoSu, Terminal: true, Su: SuCmd{"/bin/su -", false}}, func(t *testing.T, cmd installer.Command, sent <-chan string) int {
				say(cmd, ways+"sudo: unable to resolve host x: ")
				assert.Equal(t, secret+"\n"+loginShellLine(true, "1000"), <-sent)
				say(cmd, "no such name\r\n"+sudoPrompt)
				assert.Equal(t, secret+"\n"+loginShellLine(true, "1000"), <-sent)
				return ready(t, cmd, sent)
			}, false, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				password := secret
				if c.none {
					password = ""
				}
				host := fakeHost(func(cmd installer.Command, sent <-chan string) int { return c.host(t, cmd, sent) })
				s := New(host, installer.NewSecret(password), "tag", "A='x'\n")
				s.Way = c.way
				reply, err := s.Ask(t.Context(), Request{Files: KillFiles, Verb: "kill"})
				refusal, refused := errors.AsType[*NotRoot](err)
				switch {
				case c.want != nil:
					require.True(t, refused, "%v", err)
					if c.way.Terminal {
						refusal.Listed = ""
					}
					assert.Equal(t, c.want, refusal)
				default:
					require.NoError(t, err)
					assert.Equal(t, 7, reply.Code)
				}
				s.Close()
			})
		})
	}
}

func TestDeadlineEndsAConversation(t *testing.T) {
	t.Parallel()
	for _, become := range []Become{AsLogin, Sudo, Su} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			host := fakeHost(func(_ installer.Command, sent <-chan string) int {
				for range sent { // never answers
				}
				return 0
			})
			s := New(host, installer.NewSecret("x"), "tag", "")
			s.Become = become
			began := time.Now()
			_, err := s.Ask(ctx, Request{Files: KillFiles, Verb: "kill"})
			require.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, time.Second, time.Since(began))
		})
	}
}

// TestLimits: each part has its own, which begins with it.
func TestLimits(t *testing.T) {
	t.Parallel()
	limits := installer.Limits{StartUp: 20 * time.Second, Sudo: 30 * time.Second}
	for name, c := range map[string]struct {
		become Become
		host   fakeHost
		want   error
		after  time.Duration
	}{
		"start-up file": {AsLogin, func(installer.Command, <-chan string) int { // which does not read
			time.Sleep(time.Hour)
			return 0
		}, ErrStartUp, 20 * time.Second},
		"start-up file before sudo": {Sudo, func(installer.Command, <-chan string) int {
			time.Sleep(time.Hour)
			return 0
		}, ErrStartUp, 20 * time.Second},
		"sudo": {Sudo, func(cmd installer.Command, sent <-chan string) int {
			time.Sleep(10 * time.Second)
			_, _ = io.WriteString(cmd.Stdout, "motd\n"+startLine)
			_, _ = io.WriteString(cmd.Stderr, waysWord+" 1000 sudo\nAsking the directory.\n")
			for range sent {
			}
			return 0
		}, ErrSudo, 40 * time.Second},
		"verb": {AsLogin, func(cmd installer.Command, sent <-chan string) int {
			time.Sleep(10 * time.Second)
			_, _ = io.WriteString(cmd.Stdout, tokenIn(<-sent))
			for range sent {
			}
			return 0
		}, ErrVerb, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := New(c.host, installer.NewSecret("x"), "tag", "")
				s.Become, s.Limits = c.become, limits
				began := time.Now()
				_, err := s.Ask(t.Context(), Request{Files: KillFiles, Verb: "kill", Limit: 5 * time.Second})
				require.ErrorIs(t, err, c.want)
				assert.Equal(t, c.after, time.Since(began))
				if errors.Is(err, ErrSudo) {
					assert.Equal(t, "Asking the directory.\n", s.Noise(), "the program's words alone")
				}
				time.Sleep(time.Hour) // the host's end
			})
		})
	}
}

// tokenIn is the line that the first request asks for.
func tokenIn(request string) string {
	_, rest, _ := strings.Cut(request, "printf '%s\\n' ")
	token, _, _ := strings.Cut(rest, "\n")
	return token + "\n"
}

// localConn runs commands here, by a shell as a login shell.
type localConn struct {
	shell []string
	env   []string
	cut   int // bytes of input after which it ends; 0: none
}

func (c localConn) Exec(ctx context.Context, cmd installer.Command) (int, error) {
	p := exec.CommandContext(ctx, c.shell[0], append(c.shell[1:], "-c", cmd.Line)...)
	p.Env = append(os.Environ(), c.env...)
	p.Stdout, p.Stderr = cmd.Stdout, cmd.Stderr
	in, err := p.StdinPipe()
	if err != nil {
		return -1, err
	}
	if err := p.Start(); err != nil {
		return -1, err
	}
	go func() {
		defer in.Close()
		var w io.Writer = in
		if c.cut > 0 {
			w = &cutWriter{in, c.cut}
		}
		_, _ = cmd.Stdin.(io.WriterTo).WriteTo(w)
	}()
	err = p.Wait()
	if code := p.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return -1, err
}

// cutWriter passes on so many bytes, and then fails.
type cutWriter struct {
	io.Writer
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	_, _ = w.Writer.Write(p[:n])
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

var shells = map[string][]string{"dash": {"dash"}, "bash": {"bash"}, "busybox": {"busybox", "sh"}}

// eachShell has the host's sh be each that is here.
func eachShell(t *testing.T, do func(t *testing.T, conn localConn)) {
	for name, words := range shells {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(words[0])
			if err != nil {
				t.Skipf("%s is not installed", name)
			}
			bin := t.TempDir()
			shim := "#!" + path + "\nexec " + path + " " + strings.Join(words[1:], " ") + " \"$@\"\n"
			require.NoError(t, os.WriteFile(filepath.Join(bin, "sh"), []byte(shim), 0o700)) //nolint:gosec // a program
			do(t, localConn{shell: append([]string{path}, words[1:]...), env: []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "TRIPOD_ROOT=" + t.TempDir()}})
		})
	}
}

// TestSmallFilesArrive: all bytes, by every shell's own printf.
func TestSmallFilesArrive(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for i := range 256 {
		all.WriteByte(byte(i))
	}
	contents := []string{
		"", "-n", "--", "%s%d%%", `\n\\n\c`, "'", "a'b\"c$d`e!", "é\u202e\n", "\n\n", all.String(), strings.Repeat(all.String(), 200),
		"#!/bin/sh\n#" + strings.Repeat("x", 100<<10) + "\n",
	}
	eachShell(t, func(t *testing.T, conn localConn) {
		s := New(conn, installer.Secret{}, "tag", "")
		defer s.Close()
		for _, content := range contents {
			sum := sha256.Sum256([]byte(content))
			file := NewFile(hex.EncodeToString(sum[:]), []byte(content))
			require.NotNil(t, file)
			path := filepath.Join(t.TempDir(), "it's")
			reply, err := s.Ask(t.Context(), Request{
				Files: []string{"lib.sh", "test-put"}, Verb: "put", Args: []string{"id=" + file.SHA256, "root=" + path}, Small: []*File{file},
			})
			require.NoError(t, err)
			require.True(t, reply.Complete, "%+v", reply)
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, content, string(got))
		}
	})
	assert.Nil(t, NewFile("x", bytes.Repeat([]byte{0}, maxFormat)))
}

// TestRequestCutShort: a connection that breaks within a request leaves nothing of it that runs.
func TestRequestCutShort(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, conn localConn) {
		ask := func(conn localConn, path string) int {
			s := New(conn, installer.Secret{}, "tag", "")
			defer s.Close()
			q := Request{Files: []string{"lib.sh", "test-touch"}, Verb: "touch", Args: []string{"root=" + path}}
			talk, err := s.open(t.Context())
			require.NoError(t, err)
			s.talk = talk
			size := len(talk.preamble) + len((&conversation{sent: map[string]bool{}}).files(q)) + len(call(q))
			_, err = s.Ask(t.Context(), q)
			require.NoError(t, err)
			return size
		}
		dir := t.TempDir()
		size := ask(conn, filepath.Join(dir, "whole"))
		require.FileExists(t, filepath.Join(dir, "whole"))
		tail := len("{ main touch 'root=" + dir + "/parts'\n} </dev/null\n" + callFailed)
		for cut := size - tail; cut < size-len("} </dev/null\n"+callFailed); cut += 3 {
			conn.cut = cut
			ask(conn, filepath.Join(dir, "parts"))
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, 1, "cut %d of %d", cut, size)
		}
	})
}

// TestStrayOutputIsNoAnswer: what a program prints that a script forgot to redirect goes to stderr.
func TestStrayOutputIsNoAnswer(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, conn localConn) {
		s := New(conn, installer.Secret{}, "tag", "")
		defer s.Close()
		for range 2 {
			var found []Finding
			reply, err := s.Ask(t.Context(), Request{
				Files: []string{"lib.sh", "test-stray"}, Verb: "stray", Each: func(f Finding) { found = append(found, f) },
			})
			require.NoError(t, err)
			assert.True(t, reply.Complete)
			assert.Equal(t, []Finding{{"end", map[string]string{}}}, found)
		}
		assert.Contains(t, s.LastWords(), ": host uid=0")
	})
}

// TestBrokenOffByTheShell: bash leaves a command in which something fails, and goes on reading; others end.
func TestBrokenOffByTheShell(t *testing.T) {
	t.Parallel()
	eachShell(t, func(t *testing.T, conn localConn) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := New(conn, installer.Secret{}, "tag", "")
		defer s.Close()
		reply, err := s.Ask(ctx, Request{Files: []string{"lib.sh", "test-break"}, Verb: "break"})
		require.NoError(t, err, "at once, not at a limit")
		assert.NotZero(t, reply.Code)
	})
}

// TestTextsAreShell has the texts that are sent read by the shells at hand.
func TestTextsAreShell(t *testing.T) {
	t.Parallel()
	for name, shell := range shells {
		if _, err := exec.LookPath(shell[0]); err != nil {
			t.Logf("%s is not installed", name)
			continue
		}
		for _, files := range [][]string{ProbeFiles, InboxFiles, RunFiles, AttachFiles, KillFiles, VerifyFiles, CleanFiles} {
			text := (&conversation{sent: map[string]bool{}}).files(Request{Files: files}) + call(Request{Verb: "kill", Args: []string{"why=a'b"}})
			cmd := exec.Command(shell[0], append(shell[1:], "-n")...)
			cmd.Stdin = strings.NewReader(text)
			out, err := cmd.CombinedOutput()
			assert.NoError(t, err, "%s: %s", name, out)
		}
	}
}

// TestPartsAreSmall: for each connection x/crypto keeps buffers of the largest packet that was sent.
func TestPartsAreSmall(t *testing.T) {
	in := &input{texts: make(chan []byte, 1), eof: make(chan struct{}), over: make(chan struct{})}
	text := bytes.Repeat([]byte("0123456789"), maxPart)
	in.texts <- text
	var got []byte
	n, err := in.WriteTo(writer(func(p []byte) {
		assert.LessOrEqual(t, len(p), maxPart)
		if got = append(got, p...); len(got) == len(text) {
			close(in.eof)
		}
	}))
	require.NoError(t, err)
	assert.EqualValues(t, len(text), n)
	assert.Equal(t, text, got)
}
