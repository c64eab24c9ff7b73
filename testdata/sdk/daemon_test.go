package sdk

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait; only a failing test takes so long.
const patience = 10 * time.Minute

// project is the one that the tests work in.
const project = "0123456789abcdef0123456789abcdef"

// rig is a state folder, and the program that works on it.
type rig struct {
	t   *testing.T
	dir string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	require.NoError(t, os.Mkdir(filepath.Join(r.dir, "home"), 0o700))
	return r
}

func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = r.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(r.dir, "home"), "TZ=UTC",
		"TRIPOD_STATE_DIR=" + filepath.Join(r.dir, "state"),
	}
	return cmd
}

// must runs a subcommand to its end and returns its stdout.
func (r *rig) must(args ...string) string {
	r.t.Helper()
	var stderr strings.Builder
	cmd := r.command(args...)
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	require.NoError(r.t, err, "tripod %s: %s", strings.Join(args, " "), &stderr)
	return string(stdout)
}

// token makes one for the project. Not while a daemon runs.
func (r *rig) token(name string, flags ...string) string {
	r.t.Helper()
	return strings.TrimSpace(r.must(append([]string{"tokens", "add", "--project", project, name}, flags...)...))
}

// daemon is `tripod serve` in a process of its own.
type daemon struct {
	t      *testing.T
	url    string
	cmd    *exec.Cmd
	stderr string // file
	done   chan struct{}
}

var listeningOn = regexp.MustCompile(`listening on (\S+)`)

// serve starts the daemon, which may connect to loopback; it listens when
// serve returns, and is ended with the test.
func (r *rig) serve(flags ...string) *daemon {
	r.t.Helper()
	d := &daemon{t: r.t, stderr: filepath.Join(r.dir, "daemon.err"), done: make(chan struct{})}
	d.cmd = r.command(append([]string{"serve", "--listen", "127.0.0.1:0", "--target-allow", "127.0.0.0/8"}, flags...)...)
	stderr, err := os.OpenFile(d.stderr, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	require.NoError(r.t, err)
	defer stderr.Close()
	d.cmd.Stderr = stderr
	require.NoError(r.t, d.cmd.Start())
	go func() {
		_ = d.cmd.Wait()
		close(d.done)
	}()
	r.t.Cleanup(d.end)
	eventually(r.t, "the daemon listens", func() bool {
		select {
		case <-d.done:
			r.t.Fatalf("the daemon ended:\n%s", d.said())
		default:
		}
		if found := listeningOn.FindStringSubmatch(d.said()); found != nil {
			d.url = found[1]
		}
		return d.url != ""
	})
	return d
}

func (d *daemon) said() string {
	text, err := os.ReadFile(d.stderr)
	require.NoError(d.t, err)
	return string(text)
}

// end ends the daemon cleanly; a data race in it fails the test here.
func (d *daemon) end() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(patience):
		_ = d.cmd.Process.Kill()
		<-d.done
		d.t.Error("the daemon did not end on SIGTERM")
	}
	assert.Zero(d.t, d.cmd.ProcessState.ExitCode())
	assert.NotContains(d.t, d.said(), "DATA RACE")
	if d.t.Failed() {
		d.t.Logf("tripod serve:\n%s", withoutPolls(d.said()))
	}
}

// withoutPolls leaves out the lines of requests that only looked, of which
// there are many.
func withoutPolls(log string) string {
	lines := slices.DeleteFunc(strings.SplitAfter(log, "\n"), func(line string) bool {
		return strings.Contains(line, "method=GET") && strings.Contains(line, "status=200")
	})
	return strings.Join(lines, "")
}

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !cond() {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// key makes an access key for the project. Not while a daemon runs.
func (r *rig) key(name string, flags ...string) (k accessKey) {
	r.t.Helper()
	out := r.must(append([]string{"keys", "add", "--project", project, "--output", "json", name}, flags...)...)
	var printed map[string]any
	require.NoError(r.t, json.Unmarshal([]byte(out), &printed))
	k.access, _ = printed["access_key"].(string)
	k.secret, _ = printed["secret_key"].(string)
	require.NotEmpty(r.t, k.access, "%v", printed)
	require.NotEmpty(r.t, k.secret)
	return k
}
