package sshconn

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

// buffer is a bytes.Buffer that tells when something has arrived.
type buffer struct {
	mu   sync.Mutex
	b    bytes.Buffer
	some chan struct{}
	once sync.Once
}

func newBuffer() *buffer { return &buffer{some: make(chan struct{})} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.once.Do(func() { close(b.some) })
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestExecKeepsEveryByteOfBothStreams(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	c := connect(t, long(), s)
	in := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB: more than the window
	var out, errOut bytes.Buffer
	code, err := c.Exec(t.Context(), installer.Command{
		Line: "tee /dev/stderr", Stdin: io.MultiReader(strings.NewReader(in)), Stdout: &out, Stderr: &errOut,
	})
	require.NoError(t, err)
	assert.Zero(t, code)
	assert.True(t, in == out.String(), "%d bytes of stdout", out.Len())
	assert.True(t, in == errOut.String(), "%d bytes of stderr", errOut.Len())

	code, err = c.Exec(t.Context(), installer.Command{Line: "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2"})
	require.NoError(t, err, "output that nobody wants is drained")
	assert.Zero(t, code)
}

func TestExecDoesNotWaitForInputThatNobodyReads(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	c := connect(t, long(), s)
	r, w := io.Pipe()
	defer w.Close()
	code, err := c.Exec(t.Context(), installer.Command{Line: "exit 4", Stdin: r})
	require.NoError(t, err)
	assert.Equal(t, 4, code)
}

// TestA14ChildHoldsOutput: the result comes within the grace after the exit
// status, with what was written before, and nothing is written afterwards.
func TestA14ChildHoldsOutput(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	l := long()
	l.ExitGrace = 2 * time.Second // a slow machine has time for what was written before
	c := connect(t, l, s)
	var out bytes.Buffer // not locked: the race detector watches
	holds := `cd "$TRIPOD_ROOT/tmp"; (trap '' PIPE; while [ ! -e go ]; do sleep 0.02; done; echo late; : >said; exec sleep 600) & echo early; exit 5`
	code, err := c.Exec(t.Context(), installer.Command{Line: holds, Stdout: &out})
	require.NoError(t, err)
	assert.Equal(t, 5, code)
	require.NoError(t, os.WriteFile(s.Path("tmp", "go"), nil, 0o600))
	require.Eventually(t, func() bool { _, err := os.Stat(s.Path("tmp", "said")); return err == nil }, waitLong, waitTick)

	code, err = c.Exec(t.Context(), installer.Command{Line: "true"})
	require.NoError(t, err, "the connection goes on")
	assert.Zero(t, code)
	assert.Equal(t, "early\n", out.String())
}

func TestA15NoExitStatus(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		fault sshtest.Fault
		code  int
		want  installer.Kind
	}{
		{"omitted", sshtest.Fault{Stage: sshtest.ExitStatus, Action: sshtest.Omit}, 0, installer.KindLostContact},
		{"dropped", sshtest.Fault{Stage: sshtest.ExitStatus, Action: sshtest.Drop}, 0, installer.KindLostContact},
		{"reset", sshtest.Fault{Stage: sshtest.ExitStatus, Action: sshtest.Reset}, 0, installer.KindLostContact},
		{"killed", sshtest.Fault{Stage: sshtest.ExitStatus, Action: sshtest.Signal, Text: "KILL"}, 137, ""},
		{"terminated", sshtest.Fault{Stage: sshtest.ExitStatus, Action: sshtest.Signal, Text: "TERM"}, 143, ""},
		{"dropped in the output", sshtest.Fault{Stage: sshtest.Output, Action: sshtest.Drop, After: 3}, 0, installer.KindLostContact},
		{"close stalls", sshtest.Fault{Stage: sshtest.Close, Action: sshtest.Stall}, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := sshtest.Start(t, sshtest.Config{Faults: []sshtest.Fault{tc.fault}})
			l := long()
			l.ExitGrace = short
			c := connect(t, l, s)
			code, err := c.Exec(t.Context(), installer.Command{Line: "echo hello"})
			if tc.want == "" {
				require.NoError(t, err)
				assert.Equal(t, tc.code, code)
				return
			}
			kind(t, tc.want, err)
		})
	}
}

// TestA11ExecStages: stalls and refusals of channels and commands.
func TestA11ExecStages(t *testing.T) {
	t.Parallel()
	channel, silent := long(), long()
	channel.Channel = 2 * time.Second // opening the session before is under it too
	silent.Keepalive = short
	answering := long() // to a keepalive, before the channel's limit comes
	answering.Channel, answering.Keepalive = 2*time.Second, 4*time.Second
	for _, tc := range []struct {
		name   string
		fault  sshtest.Fault
		limits installer.Limits
		want   installer.Kind
		dead   bool
	}{
		{"session refused", sshtest.Fault{Stage: sshtest.ChannelOpen, Action: sshtest.Refuse}, long(), installer.KindChannelDenied, false},
		{"session stalls", sshtest.Fault{Stage: sshtest.ChannelOpen, Action: sshtest.Stall}, answering, installer.KindChannelDenied, true},
		{"session drops", sshtest.Fault{Stage: sshtest.ChannelOpen, Action: sshtest.Drop}, long(), installer.KindLostContact, true},
		{"start refused", sshtest.Fault{Stage: sshtest.ExecRequest, Action: sshtest.Refuse}, long(), installer.KindChannelDenied, false},
		{"start stalls", sshtest.Fault{Stage: sshtest.ExecRequest, Action: sshtest.Stall}, channel, installer.KindLostContact, true},
		{"start drops", sshtest.Fault{Stage: sshtest.ExecRequest, Action: sshtest.Drop}, long(), installer.KindLostContact, true},
		{"silent while it runs", sshtest.Fault{Stage: sshtest.Inbound, Action: sshtest.Stall}, silent, installer.KindLostContact, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := sshtest.Start(t, sshtest.Config{})
			c := connect(t, tc.limits, s)
			remove := s.Inject(tc.fault)
			_, err := c.Exec(t.Context(), installer.Command{Line: "true"})
			f := kind(t, tc.want, err)
			t.Log(f.Detail)
			remove()
			_, err = c.Exec(t.Context(), installer.Command{Line: "true"})
			if tc.dead {
				kind(t, installer.KindLostContact, err)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestCanceledExecLeavesTheConnection(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	c := connect(t, long(), s)
	out := newBuffer()
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-out.some
		cancel(installer.ErrCanceled)
	}()
	_, err := c.Exec(ctx, installer.Command{Line: "echo up; exec sleep 600", Stdout: out})
	kind(t, installer.KindCanceled, err)
	require.ErrorIs(t, err, installer.ErrCanceled)

	code, err := c.Exec(t.Context(), installer.Command{Line: "true"})
	require.NoError(t, err)
	assert.Zero(t, code)
}

// TestCanceledExecReturnsWhateverTheServerDoes: also where the server has
// stopped reading and each write of ours would block.
func TestCanceledExecReturnsWhateverTheServerDoes(t *testing.T) {
	t.Parallel()
	for _, stage := range []sshtest.Stage{sshtest.ChannelOpen, sshtest.ExecRequest, sshtest.ExitStatus, sshtest.Inbound} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			s := sshtest.Start(t, sshtest.Config{})
			c := connect(t, long(), s)
			s.Inject(sshtest.Fault{Stage: stage, Action: sshtest.Stall})
			ctx, cancel := context.WithTimeout(t.Context(), short)
			defer cancel()
			_, err := c.Exec(ctx, installer.Command{Line: "true", Stdin: endless{}})
			kind(t, installer.KindStepTimeout, err)
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestPTY(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	c := connect(t, long(), s)
	var out, errOut bytes.Buffer
	code, err := c.Exec(t.Context(), installer.Command{
		Line: "test -t 0 || exit 9; read -r a; head -n 1; echo \"$a\" >&2", Stdin: strings.NewReader("s3cret\nline\n"), Stdout: &out, Stderr: &errOut, PTY: true,
	})
	require.NoError(t, err)
	assert.Zero(t, code)
	assert.Equal(t, "line\ns3cret\n", out.String(), "no echo, no carriage returns, the end of input seen")
	assert.Empty(t, errOut.String())
}

func TestExpiredPasswordOnATerminalDoesNotHang(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	c := connect(t, long(), s)
	_, err := c.Exec(t.Context(), installer.Command{Line: "echo WARNING: Your password has expired.; exec sleep 600", PTY: true})
	kind(t, installer.KindPasswordExpired, err)
}

func TestClosedConn(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	c := connect(t, long(), s)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	_, err := c.Exec(t.Context(), installer.Command{Line: "true"})
	kind(t, installer.KindLostContact, err)
	kind(t, installer.KindLostContact, c.Upload(t.Context(), newBlob(nil), "/x"))
	kind(t, installer.KindLostContact, c.CanForward(t.Context()))
}

// TestA12Floods: a server that sends what nobody asked for harms only its own
// connection.
func TestA12Floods(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	l := long()
	l.Channel = short
	c := connect(t, l, s)
	s.Inject(sshtest.Fault{Stage: sshtest.ChannelOpen, Action: sshtest.Flood})
	_, err := c.Exec(t.Context(), installer.Command{Line: "true"})
	if err != nil {
		f := installer.FailureOf(err)
		assert.Contains(t, []installer.Kind{installer.KindChannelDenied, installer.KindLostContact}, f.Kind)
	}
}
