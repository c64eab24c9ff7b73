package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"tripod/cmd/tripod/internal/report"
	"tripod/installer/sshtest/container"
)

// The tests in e2e_*_test.go drive the real program, in a process of its own,
// against containers with a real sshd.

// e2ePatience bounds what they wait for; only a failing test takes so long.
const e2ePatience = 10 * time.Minute

// containerTurns bounds how many of them run at a time, by weight: usual or heavy.
var containerTurns = semaphore.NewWeighted(4)

const (
	usual = 1 // up to four containers
	heavy = 2 // more
)

// rig is a state folder, and the program that works on it.
type rig struct {
	t          *testing.T
	dir, state string
	started    int
}

func newRig(t *testing.T, weight int64) *rig {
	t.Helper()
	takeTurn(t, weight)
	return emptyRig(t)
}

// takeTurn waits until a test of this weight may run beside the others.
func takeTurn(t *testing.T, weight int64) {
	t.Helper()
	container.NeedDocker(t)
	t.Parallel()
	require.NoError(t, containerTurns.Acquire(context.Background(), weight))
	t.Cleanup(func() { containerTurns.Release(weight) })
}

func emptyRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "home"), 0o700))
	return &rig{t: t, dir: dir, state: filepath.Join(dir, "state")}
}

// file writes a file that only we can read and returns its path.
func (r *rig) file(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	require.NoError(r.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// process is the program while it runs.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr string // files
	done           chan struct{}
}

// start runs tripod in the background. It does not outlive the test.
func (r *rig) start(args ...string) *process {
	r.t.Helper()
	return r.startProgram("tripod", args...)
}

func (r *rig) startProgram(program string, args ...string) *process {
	r.t.Helper()
	r.started++
	base := filepath.Join(r.dir, fmt.Sprintf("tripod-%d", r.started))
	p := &process{t: r.t, stdout: base + ".out", stderr: base + ".err", done: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir = r.dir
	p.cmd.Env = append(childEnv(),
		"HOME="+filepath.Join(r.dir, "home"), "TRIPOD_STATE_DIR="+r.state)
	stdout, err := os.Create(p.stdout)
	require.NoError(r.t, err)
	defer stdout.Close()
	stderr, err := os.Create(p.stderr)
	require.NoError(r.t, err)
	defer stderr.Close()
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	require.NoError(r.t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	r.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if r.t.Failed() {
			r.t.Logf("%s %s\n%s%s", program, strings.Join(args, " "), clipped(p.out()), clipped(p.err()))
		}
	})
	return p
}

func clipped(text string) string {
	const most = 8000
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}

func (p *process) out() string { return readText(p.stdout) }
func (p *process) err() string { return readText(p.stderr) }

func readText(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// kill ends it as kill -9 does.
func (p *process) kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
	<-p.done
}

// wait returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(e2ePatience):
		p.t.Fatalf("%s does not end:\n%s", strings.Join(p.cmd.Args, " "), clipped(p.err()))
	}
	return p.cmd.ProcessState.ExitCode()
}

// tripod runs the program to its end.
func (r *rig) tripod(args ...string) (p *process, code int) {
	r.t.Helper()
	p = r.start(args...)
	return p, p.wait()
}

// must is tripod for what has to succeed; it returns stdout.
func (r *rig) must(args ...string) string {
	r.t.Helper()
	p, code := r.tripod(args...)
	require.Zero(r.t, code, "tripod %s\n%s%s", strings.Join(args, " "), p.out(), p.err())
	return p.out()
}

// report reads the document of --output json.
func (r *rig) report(text string) report.JSONReport {
	r.t.Helper()
	var doc report.JSONReport
	require.NoError(r.t, json.Unmarshal([]byte(text), &doc), "%s", text)
	return doc
}

// stored is an invocation as the store has it, from a process of its own.
func (r *rig) stored(id string) report.JSONInvocation {
	r.t.Helper()
	doc := r.report(r.must("status", "--output", "json", id))
	require.Len(r.t, doc.Invocations, 1)
	return doc.Invocations[0]
}

// eventually asks until what holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(e2ePatience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

// in runs a line of sh in a container as root, without SSH.
func in(t *testing.T, c *container.Host, line string) string {
	t.Helper()
	out, err := c.Exec(t.Context(), "sh", "-c", line)
	require.NoError(t, err)
	return out
}

// waitIn waits until a line of sh in a container succeeds. It asks there: docker exec is dear.
func waitIn(t *testing.T, c *container.Host, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), e2ePatience)
	defer cancel()
	_, err := c.Exec(ctx, "sh", "-c", "until { "+line+"; } >/dev/null 2>&1; do sleep 0.1; done")
	require.NoError(t, err, "waited in vain: %s", line)
}

// waitNoted waits until a script has noted something on the host.
func waitNoted(t *testing.T, c *container.Host, text string) {
	t.Helper()
	waitIn(t, c, "grep -q '"+text+"' /root/ran")
}

// csvFile is a hosts file of containers: CSV with passwords.
func csvFile(cs ...*container.Host) string {
	var b bytes.Buffer
	b.WriteString("address,port,user,password\n")
	for _, c := range cs {
		at := c.Endpoint()
		fmt.Fprintf(&b, "%s,%d,%s,%s\n", at.Address, at.Port, at.User, c.Password)
	}
	return b.String()
}

// dockerLogs is all that a container's SSH server said.
func dockerLogs(ctx context.Context, c *container.Host) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", "logs", c.ID).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("docker logs: %w: %s", exit, out)
	}
	return string(out), err
}
