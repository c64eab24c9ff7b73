package sshtest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	. "tripod/installer/sshtest"
	"tripod/installer/sshtest/internal/plainssh"
)

var content = bytes.Repeat([]byte("0123456789"), 10_000)

func struck(stage Stage) func(Counts) bool {
	return func(k Counts) bool { return k.Faults[stage] > 0 }
}

// use does all that a client does: log in, write a file, run a command.
func use(s *Server, client *ssh.Client) error {
	files, err := sftp.NewClient(client)
	if err != nil {
		return err
	}
	defer files.Close()
	f, err := files.Create(s.Path("tmp", "file"))
	if err != nil {
		return err
	}
	if _, err := f.ReadFrom(bytes.NewReader(content)); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	ss, err := client.NewSession()
	if err != nil {
		return err
	}
	defer ss.Close()
	out, err := ss.Output("echo 0123456789")
	if err == nil && string(out) != "0123456789\n" {
		err = errors.New("output: " + string(out))
	}
	return err
}

// life is a whole connection over raw.
func life(t *testing.T, s *Server) (raw io.Closer, done <-chan error) {
	t.Helper()
	result := make(chan error, 1)
	c, err := net.Dial("tcp", s.Addr())
	if err != nil { // a reset may come as early as that
		result <- err
		return nil, result
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		sc, chans, reqs, err := ssh.NewClientConn(c, s.Addr(), config(s, "root"))
		if err == nil {
			client := ssh.NewClient(sc, chans, reqs)
			err = use(s, client)
			_ = client.Close()
		}
		_ = c.Close()
		result <- err
	}()
	return c, result
}

// fails holds for every stage but the last: by then the client may know all it
// wants to know.
func fails(t *testing.T, stage Stage, err error) {
	t.Helper()
	if stage != Close {
		require.Error(t, err)
	}
}

var stages = []Stage{
	Accept, Version, KexInit, NewKeys, Auth, Banner, ChannelOpen, ExecRequest, SFTPStart, SFTPOpen, SFTPWrite, SFTPClose,
	Output, ExitStatus, Close, Inbound, Outbound,
}

// A stall lasts until the client leaves, which the server notices, and a
// removed one goes on as if nothing had been.
func TestStallAtEveryStage(t *testing.T) {
	t.Parallel()
	for _, stage := range stages {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			s := Start(t, Config{})
			remove := s.Inject(Fault{Stage: stage, Action: Stall})
			raw, done := life(t, s)
			require.NoError(t, s.Wait(t.Context(), struck(stage)))
			if stage != Inbound { // whoever does not read cannot notice
				require.NoError(t, raw.Close())
				fails(t, stage, <-done)
				require.NoError(t, s.Wait(t.Context(), func(k Counts) bool { return k.ClientClosed == 1 && k.Open == 0 }))
				_, done = life(t, s)
				require.NoError(t, s.Wait(t.Context(), func(k Counts) bool { return k.Faults[stage] > 1 }))
			}
			remove()
			require.NoError(t, <-done)
		})
	}
}

func TestDropAndResetAtEveryStage(t *testing.T) {
	t.Parallel()
	actions := []Action{Drop, Reset}
	for i, stage := range stages {
		for j, action := range actions {
			if !Long() && i%len(actions) != j {
				continue // the other one at the next stage
			}
			t.Run(string(stage)+" "+string(action), func(t *testing.T) {
				t.Parallel()
				s := Start(t, Config{Faults: []Fault{{Stage: stage, Action: action, Conn: 1}}})
				_, done := life(t, s)
				fails(t, stage, <-done)
				k := s.Counts()
				assert.Positive(t, k.Faults[stage])
				assert.Equal(t, 1, k.ServerClosed, "%+v", k)
				_, done = life(t, s) // the second connection is spared
				require.NoError(t, <-done)
			})
		}
	}
}

// Whatever stalls, Close ends it and leaves nothing (goleak).
func TestCloseEndsEveryStall(t *testing.T) {
	t.Parallel()
	for _, stage := range stages {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			s, err := New(Config{Faults: []Fault{{Stage: stage, Action: Stall}}})
			require.NoError(t, err)
			_, done := life(t, s)
			require.NoError(t, s.Wait(t.Context(), struck(stage)))
			s.Close()
			fails(t, stage, <-done)
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for stage, want := range map[Stage]string{
		Accept: "", Version: "", Auth: "unable to authenticate", ChannelOpen: "open failed", SFTPStart: "subsystem request failed",
		SFTPOpen: "permission denied", SFTPWrite: "no space left on device", SFTPClose: "input/output error", ExecRequest: "failed",
	} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			s := Start(t, Config{Faults: []Fault{{Stage: stage, Action: Refuse}}})
			_, done := life(t, s)
			require.ErrorContains(t, <-done, want)
		})
	}
}

func TestTextOnTheWire(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{})
	s.Inject(Fault{Stage: Version, Action: Refuse, Times: 1})
	assert.Equal(t, "Not allowed at this time\r\n", readAll(t, connect(t, s)))
	s.Inject(Fault{Stage: Version, Action: Garbage, Text: "HTTP/1.1 400 Bad Request\r\n\r\n"})
	c := connect(t, s)
	b := make([]byte, 8)
	_, err := io.ReadFull(c, b)
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1", string(b))
	s.ClearFaults()

	s.Inject(Fault{Stage: Version, Action: Drip, Delay: time.Microsecond})
	_, done := life(t, s)
	require.NoError(t, <-done)
	s.ClearFaults()

	s.Inject(Fault{Stage: Accept, Action: Reset})
	reset, err := net.Dial("tcp", s.Addr())
	if err == nil { // a reset may come as early as that
		defer reset.Close()
		_, err = io.ReadAll(reset)
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestGarbageAndFloodsKillTheConnectionNotTheServer(t *testing.T) {
	t.Parallel()
	for _, f := range []Fault{
		{Stage: Version, Action: Flood}, {Stage: Accept, Action: Flood}, {Stage: KexInit, Action: Garbage}, {Stage: NewKeys, Action: Garbage},
		{Stage: NewKeys, Action: Flood}, {Stage: Auth, Action: Garbage}, {Stage: ChannelOpen, Action: Garbage}, {Stage: SFTPWrite, Action: Garbage},
		{Stage: Close, Action: Garbage}, {Stage: Outbound, Action: Garbage, After: 2000},
	} {
		t.Run(string(f.Stage)+" "+string(f.Action), func(t *testing.T) {
			t.Parallel()
			s := Start(t, Config{Faults: []Fault{f}})
			_, done := life(t, s)
			fails(t, f.Stage, <-done)
			require.NoError(t, s.Wait(t.Context(), func(k Counts) bool { return k.Open == 0 }))
			assert.Positive(t, s.Counts().Faults[f.Stage])
			s.ClearFaults()
			_, done = life(t, s)
			require.NoError(t, <-done)
		})
	}
}

func TestEndlessBannersAndRequests(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{})
	remove := s.Inject(Fault{Stage: Banner, Action: Flood})
	cfg, n, raw := config(s, "root"), 0, connect(t, s)
	cfg.BannerCallback = func(m string) error {
		// Closing, not an error: x/crypto leaks goroutines then, while there
		// are further packets that nobody takes.
		if n += len(m); n > 100_000 {
			_ = raw.Close()
		}
		return nil
	}
	_, _, _, err := ssh.NewClientConn(raw, s.Addr(), cfg)
	require.Error(t, err)
	assert.Greater(t, n, 100_000)
	remove()

	c := dial(t, s, "root")
	s.Inject(Fault{Stage: ChannelOpen, Action: Flood})
	go func() { _, _, _ = c.OpenChannel("session", nil) }()
	require.NoError(t, s.Wait(t.Context(), struck(ChannelOpen)))
	require.NoError(t, c.Close())
	require.NoError(t, s.Wait(t.Context(), func(k Counts) bool { return k.Open == 0 }))
}

func TestExitStatusFaults(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{})
	c := dial(t, s, "root")
	try := func(f Fault) error {
		defer s.Inject(f)()
		ss, err := c.NewSession()
		require.NoError(t, err)
		defer ss.Close()
		return ss.Run("exit 3")
	}
	require.NoError(t, try(Fault{Stage: ExitStatus, Action: Lie}))
	var exit *ssh.ExitError
	require.ErrorAs(t, try(Fault{Stage: ExitStatus, Action: Signal}), &exit)
	assert.Equal(t, "KILL", exit.Signal())
	var missing *ssh.ExitMissingError
	require.ErrorAs(t, try(Fault{Stage: ExitStatus, Action: Omit}), &missing)
	require.ErrorAs(t, try(Fault{Stage: ExitStatus, Action: Lie, Match: "another command"}), &exit)
	assert.Equal(t, 3, exit.ExitStatus())
}

func TestOutputFaults(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{})
	c := dial(t, s, "root")
	try := func(f Fault) (string, error) {
		line := "echo 0123456789"
		if f.Action == Drop {
			line += "; sleep 600" // or the exit status would overtake the output
		}
		defer s.Inject(f)()
		ss, err := c.NewSession()
		require.NoError(t, err)
		defer ss.Close()
		out, err := ss.Output(line)
		return string(out), err
	}
	out, err := try(Fault{Stage: Output, Action: Omit, After: 5})
	require.NoError(t, err)
	assert.Equal(t, "01234", out)
	out, err = try(Fault{Stage: Output, Action: Garbage, After: 5, Text: "!"})
	require.NoError(t, err)
	assert.Equal(t, "01234!", out)
	out, err = try(Fault{Stage: Output, Action: Drip, Delay: time.Microsecond})
	require.NoError(t, err)
	assert.Equal(t, "0123456789\n", out)
	out, err = try(Fault{Stage: Output, Action: Drop, After: 5})
	require.Error(t, err)
	assert.Equal(t, "01234", out)

	c = dial(t, s, "root")
	defer s.Inject(Fault{Stage: Output, Action: Flood, Text: "y\n"})()
	ss, err := c.NewSession()
	require.NoError(t, err)
	r, err := ss.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, ss.Start("echo once"))
	b := make([]byte, 20_000)
	_, err = io.ReadFull(r, b)
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("y\n", len(b)/2), string(b))
}

func TestShortWriteAcknowledged(t *testing.T) {
	t.Parallel()
	s := Start(t, Config{Faults: []Fault{{Stage: SFTPWrite, Action: Lie, After: 90_000, Times: 1}}})
	_, done := life(t, s)
	require.NoError(t, <-done)
	got, err := os.ReadFile(s.Path("tmp", "file"))
	require.NoError(t, err)
	assert.False(t, bytes.Equal(content, got), "half of a write must be missing")
}

func TestSFTPOffAndChatty(t *testing.T) {
	t.Parallel()
	for _, mode := range []SFTP{SFTPOff, SFTPChatty} {
		s := Start(t, Config{SFTP: mode})
		_, err := sftp.NewClient(dial(t, s, "root"))
		require.Error(t, err, mode)
	}
	s := Start(t, Config{ShellNoise: "Welcome\n"})
	out, _ := plainssh.Run(t, dial(t, s, "root"), "echo mine", "")
	assert.Equal(t, "Welcome\nmine\n", out)
}
