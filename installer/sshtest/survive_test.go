package sshtest_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	. "tripod/installer/sshtest"
	"tripod/installer/sshtest/internal/plainssh"
	"tripod/installer/sshtest/netsim"
)

// begin starts a command and returns once it has printed a line.
func begin(t *testing.T, c *ssh.Client, line string) *ssh.Session {
	t.Helper()
	ss, err := c.NewSession()
	require.NoError(t, err)
	out, err := ss.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, ss.Start(line))
	b := make([]byte, 6)
	_, err = io.ReadFull(out, b)
	require.NoError(t, err)
	require.Equal(t, "begun\n", string(b))
	return ss
}

const waitsForFile = `echo begun; while [ ! -e "$TRIPOD_ROOT/tmp/go" ]; do sleep 0.02; done; echo done >"$TRIPOD_ROOT/tmp/done"`

func touch(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, nil, 0o644))
}

func TestCommandsSurviveALostConnection(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{})
	begin(t, dial(t, s, "root"), waitsForFile)
	s.DropAll()
	require.NoError(t, s.Wait(t.Context(), func(k Counts) bool { return k.Open == 0 }))
	require.NotEmpty(t, s.Processes())
	touch(t, s.Path("tmp", "go"))
	require.Eventually(t, func() bool { _, err := os.Stat(s.Path("tmp", "done")); return err == nil }, patience, 10*time.Millisecond)
}

func TestKillChildren(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{KillChildren: true})
	begin(t, dial(t, s, "root"), waitsForFile)
	s.DropAll()
	require.Eventually(t, func() bool { return len(s.Processes()) == 0 }, patience, 10*time.Millisecond)
	assert.NoFileExists(t, s.Path("tmp", "done"))
}

// A command has ended, its child still prints, the client closes: what the
// child's output does then must not meet the end of the channel. (The race
// detector is what tells.)
func TestClosedWhileAChildStillPrints(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{KillChildren: true})
	for range 20 {
		c := dial(t, s, "root")
		ch, reqs, err := c.OpenChannel("session", nil)
		require.NoError(t, err)
		line := `(i=0; while [ $i -lt 3000 ]; do echo x; i=$((i+1)); done) & exit 0`
		_, err = ch.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{line}))
		require.NoError(t, err)
		require.Equal(t, "exit-status", (<-reqs).Type)
		_ = ch.Close() // an error where the server was first
		for range reqs {
		}
		require.NoError(t, c.Close())
	}
}

// A daemon keeps stdout open: the exit status comes all the same, the channel
// stays. And Close finds the daemon, even one without our environment.
func TestDaemonsHoldTheOutputAndDieWithTheServer(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{})
	c := dial(t, s, "root")
	ch, reqs, err := c.OpenChannel("session", nil)
	require.NoError(t, err)
	line := `cd "$HOME"; sleep 600 & setsid env -i /bin/sleep 600 & exit 4`
	_, err = ch.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{line}))
	require.NoError(t, err)
	req := <-reqs
	require.Equal(t, "exit-status", req.Type)
	assert.Equal(t, []byte{0, 0, 0, 4}, req.Payload)
	select {
	case _, open := <-reqs:
		assert.True(t, open, "the channel was closed though a daemon holds it")
	default:
	}
	require.Len(t, s.Processes(), 2)
	s.Close()
	assert.Empty(t, s.Processes())
}

func TestSignalsAreTold(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{})
	ss := begin(t, dial(t, s, "root"), waitsForFile)
	require.NoError(t, ss.Signal(ssh.SIGTERM))
	var exit *ssh.ExitError
	require.ErrorAs(t, ss.Wait(), &exit)
	assert.Equal(t, "TERM", exit.Signal())
}

func TestLatency(t *testing.T) {
	t.Parallel()
	const way = 20 * time.Millisecond
	s := Start(t, Config{Latency: way})
	c := dial(t, s, "root")
	start := time.Now()
	_, _, err := c.SendRequest("keepalive@openssh.com", true, nil)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(start), 2*way)
	big := bytes.Repeat([]byte("x"), 5<<20)
	out, code := plainssh.Run(t, c, "wc -c", string(big))
	assert.Zero(t, code)
	assert.Equal(t, "5242880", strings.TrimSpace(out))
	s.ResetAll()
	require.Error(t, c.Wait())
}

func TestPipeOnFakeTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := netsim.DelayedPipe(time.Hour)
		start := time.Now()
		go func() {
			_, _ = io.Copy(server, server)
			_ = server.Close()
		}()
		_, err := client.Write([]byte("hello"))
		require.NoError(t, err)
		b := make([]byte, 5)
		_, err = io.ReadFull(client, b)
		require.NoError(t, err)
		assert.Equal(t, 2*time.Hour, time.Since(start))

		require.NoError(t, client.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err = client.Read(b)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, client.Close())
	})
}

func TestServerOnFakeTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Listen: NoPort, Faults: []Fault{{Stage: Auth, Action: Delay, Match: "password", Delay: 24 * time.Hour}}})
		require.NoError(t, err)
		defer s.Close()
		client, server := netsim.Pipe()
		s.ServeConn(server)
		start := time.Now()
		sc, chans, reqs, err := ssh.NewClientConn(client, "pipe", config(s, "root"))
		require.NoError(t, err)
		assert.Equal(t, 24*time.Hour, time.Since(start))
		require.NoError(t, ssh.NewClient(sc, chans, reqs).Close())
	})
}

func TestServeConnOnAPipe(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{Root: filepath.Join(t.TempDir(), "kept")})
	client, server := netsim.Pipe()
	s.ServeConn(server)
	sc, chans, reqs, err := ssh.NewClientConn(client, "pipe", config(s, "root"))
	require.NoError(t, err)
	c := ssh.NewClient(sc, chans, reqs)
	out, _ := plainssh.Run(t, c, "echo hello | tee $TRIPOD_ROOT/tmp/kept", "")
	assert.Equal(t, "hello\n", out)
	require.NoError(t, c.Close())
	require.NoError(t, s.Wait(t.Context(), func(k Counts) bool { return k.ClientClosed == 1 }))
	s.Close()
	assert.FileExists(t, s.Path("tmp", "kept"), "a root that was given is kept")
}
