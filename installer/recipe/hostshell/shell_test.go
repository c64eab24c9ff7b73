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
	const start = `exec sh -c 'while IFS= read -r l; do case $l in tripod-go) break;; esac; done; echo tripod-starts; a=${LC_ALL-}; u=$(id -u); t=; [ -t 0 ] && t="+i 2>/dev/null"; r="echo tripod-ready; while IFS= read -r l; do ` +
		`case \$l in tripod-go) exec /bin/sh $t -s -- \"\$1\" \"\$2\";; esac; done"; [ "$u" = 0 ] && exec /bin/sh -c "$r" sh "$a" 0; ` +
		`LC_ALL=C; export LC_ALL; exec sudo -k `
	assert.Equal(t, "exec sh -c '"+awaits+"'", commandLine(AsLogin, true))
	assert.Equal(t, start+`-n /bin/sh -c "$r" sh "$a" "$u"'`, commandLine(Sudo, false))
	assert.Equal(t, start+`-S -p tripod-asks: /bin/sh -c "$r" sh "$a" "$u"'`, commandLine(Sudo, true))
	for _, become := range []Become{AsLogin, Sudo} {
		inner := strings.TrimSuffix(strings.TrimPrefix(commandLine(become, true), "exec sh -c '"), "'")
		assert.NotContains(t, inner, "'")
		assert.NotContains(t, inner, "!", "csh")
		assert.NotContains(t, inner, "\n")
	}
}

// TestPasswordGoesToSudoAlone: nothing but the password is sent before root's shell is there, and that once.
func TestPasswordGoesToSudoAlone(t *testing.T) {
	t.Parallel()
	const secret = "s3cret 'word'"
	for name, c := range map[string]struct {
		host     fakeHost
		password string
		root     bool
		rejected bool
	}{
		"free": {func(cmd installer.Command, sent <-chan string) int {
			_, _ = io.WriteString(cmd.Stdout, "motd\ntripod-re")
			_, _ = io.WriteString(cmd.Stdout, "ady\n")
			assert.NotContains(t, <-sent, secret)
			return 7
		}, secret, true, false},
		"asks": {func(cmd installer.Command, sent <-chan string) int {
			_, _ = io.WriteString(cmd.Stderr, "tripod-")
			_, _ = io.WriteString(cmd.Stderr, "asks:")
			assert.Equal(t, secret+"\n", <-sent)
			_, _ = io.WriteString(cmd.Stdout, readyLine)
			assert.NotContains(t, <-sent, secret)
			return 7
		}, secret, true, false},
		"asks in words of its own": {func(cmd installer.Command, sent <-chan string) int {
			_, _ = io.WriteString(cmd.Stdout, startLine)
			_, _ = io.WriteString(cmd.Stderr, "Passwort: ")
			assert.Equal(t, secret+"\n", <-sent)
			_, _ = io.WriteString(cmd.Stdout, readyLine)
			<-sent
			return 7
		}, secret, true, false},
		"asks late": {func(cmd installer.Command, sent <-chan string) int {
			time.Sleep(40 * time.Second) // a start-up file
			_, _ = io.WriteString(cmd.Stdout, startLine)
			time.Sleep(40 * time.Second) // PAM
			_, _ = io.WriteString(cmd.Stderr, sudoPrompt)
			assert.Equal(t, secret+"\n", <-sent, "it may have been asked in other words")
			_, _ = io.WriteString(cmd.Stdout, readyLine)
			assert.NotContains(t, <-sent, secret)
			return 7
		}, secret, true, false},
		"asks late, and twice": {func(cmd installer.Command, sent <-chan string) int {
			_, _ = io.WriteString(cmd.Stdout, startLine)
			time.Sleep(40 * time.Second)
			assert.Equal(t, secret+"\n", <-sent)
			_, _ = io.WriteString(cmd.Stderr, sudoPrompt+"Sorry, try again.\n"+sudoPrompt)
			more, ok := <-sent
			assert.False(t, ok, "the end of input, not %q", more)
			_, _ = io.WriteString(cmd.Stderr, "sudo: 1 incorrect password attempt\n")
			return 1
		}, secret, false, true},
		"asks twice": {func(cmd installer.Command, sent <-chan string) int {
			_, _ = io.WriteString(cmd.Stderr, sudoPrompt)
			assert.Equal(t, secret+"\n", <-sent)
			_, _ = io.WriteString(cmd.Stderr, "Sorry, try again.\n"+sudoPrompt)
			more, ok := <-sent
			assert.False(t, ok, "the end of input, not %q", more)
			_, _ = io.WriteString(cmd.Stderr, "sudo: 1 incorrect password attempt\n")
			return 1
		}, secret, false, true},
		"asks without need": {func(cmd installer.Command, sent <-chan string) int {
			_, _ = io.WriteString(cmd.Stderr, "sudo: a password is required\n")
			return 1
		}, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := New(c.host, installer.NewSecret(c.password), "tag", "A='x'\n")
				s.Become = Sudo
				reply, err := s.Ask(t.Context(), Request{Files: KillFiles, Verb: "kill"})
				refusal, refused := errors.AsType[*NotRoot](err)
				assert.Equal(t, !c.root, refused, "%v", err)
				if refused {
					assert.Equal(t, c.rejected, refusal.Rejected)
					assert.NotContains(t, refusal.Said, "tripod-")
					assert.Contains(t, refusal.Said, "password")
				} else {
					assert.Equal(t, 7, reply.Code)
				}
				s.Close()
			})
		})
	}
}

func TestDeadlineEndsAConversation(t *testing.T) {
	t.Parallel()
	for _, become := range []Become{AsLogin, Sudo} {
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
			_, _ = io.WriteString(cmd.Stdout, startLine)
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
