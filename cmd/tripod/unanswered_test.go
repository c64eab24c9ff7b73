package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/exit"
	"tripod/testdata/agent"
)

// dyingDaemon lets clients in and is gone with the next request, which it tells.
// Where it is stuck it takes the request and never answers.
type dyingDaemon struct {
	*httptest.Server
	asked chan struct{} // closed at the first request after the login
}

func newDyingDaemon(t *testing.T, stuck bool) *dyingDaemon {
	d := &dyingDaemon{asked: make(chan struct{})}
	var once sync.Once
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/tripod/v1/principal" {
			fmt.Fprint(w, `{"project_id":"p1","kind":"token","name":"me","rights":"full"}`)
			return
		}
		once.Do(func() { close(d.asked) })
		_, _ = io.Copy(io.Discard, r.Body) // or nobody sees that the client leaves
		if stuck {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(d.Close)
	return d
}

// command is one of the command line's, with --server.
func (d *dyingDaemon) command(t *testing.T, name string, more ...string) (*exec.Cmd, *strings.Builder) {
	dir := t.TempDir()
	for file, text := range map[string]string{"ok.sh": "true\n", "pw": "sesame\n", "hosts.txt": "192.0.2.1\n", "token": "tpd_x\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
	}
	if name == "packages add" {
		require.NoError(t, os.Rename(agent.Build(t, agent.Options{Version: "1.2.3"}), filepath.Join(dir, "agent.tar.gz")))
	}
	args := append(strings.Fields(name+" "+daemonCommands[name]), "--server", d.URL, "--token-file", "token")
	cmd := exec.Command("tripod", append(args, more...)...)
	cmd.Dir = dir
	cmd.Env = append(childEnv(), "HOME="+dir, "TRIPOD_STATE_DIR="+filepath.Join(dir, "state"))
	stderr := &strings.Builder{}
	cmd.Stderr = stderr
	return cmd, stderr
}

// TestServerGone: whichever command is under way when the daemon dies, it says
// the same and how to look at the work, with exit code 5.
func TestServerGone(t *testing.T) {
	t.Parallel()
	for name := range daemonCommands {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer scriptTurn()()
			d := newDyingDaemon(t, false)
			cmd, stderr := d.command(t, name, "--server-wait", "0")
			_ = cmd.Run()
			assert.Equal(t, exit.Internal, cmd.ProcessState.ExitCode(), stderr)
			assert.Contains(t, stderr.String(), "tripod: the daemon at "+d.URL+" does not answer any more: ")
			assert.Regexp(t, `(?m)^hint: .*: tripod status --server `+d.URL+` --token-file \S+`, stderr.String())
		})
	}
}

// TestServerGoneInterrupted: who does not want to wait for it leaves with 4.
func TestServerGoneInterrupted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"install", "check", "status", "hosts list", "packages add", "retry"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer scriptTurn()()
			d := newDyingDaemon(t, true)
			cmd, stderr := d.command(t, name)
			require.NoError(t, cmd.Start())
			<-d.asked
			require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
			_ = cmd.Wait()
			assert.Equal(t, exit.Interrupted, cmd.ProcessState.ExitCode(), stderr)
			assert.Contains(t, stderr.String(), "tripod: interrupted")
		})
	}
}
