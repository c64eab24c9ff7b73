package sshtest_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer/sshtest"
	"tripod/installer/sshtest/internal/plainssh"
)

// patience is for what must happen; a run that needs it is a failure.
const patience = time.Minute

func config(s *sshtest.Server, user string, auth ...ssh.AuthMethod) *ssh.ClientConfig {
	if len(auth) == 0 {
		auth = []ssh.AuthMethod{ssh.Password(s.Login(user).Password.Reveal())}
	}
	return &ssh.ClientConfig{User: user, Auth: auth, HostKeyCallback: ssh.InsecureIgnoreHostKey()}
}

func dial(t *testing.T, s *sshtest.Server, user string, auth ...ssh.AuthMethod) *ssh.Client {
	t.Helper()
	c, err := ssh.Dial("tcp", s.Addr(), config(s, user, auth...))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestCommandsReallyRunInAThrowAwayRoot(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	c := dial(t, s, "root")

	out, code := plainssh.Run(t, c, `pwd; echo "$HOME $TMPDIR $TRIPOD_ROOT"; id -u; cat; exit 3`, "through stdin\n")
	assert.Equal(t, 3, code)
	home := s.Home("root")
	assert.Equal(t, home+"\n"+home+" "+s.Path("tmp")+" "+s.Root()+"\n0\nthrough stdin\n", out)

	k := s.Counts()
	assert.Equal(t, 1, k.Connections)
	assert.Equal(t, []string{sshtest.DefaultPassword}, k.Passwords)
	assert.Len(t, k.Execs, 1)
	assert.EqualValues(t, 14, k.ExecInput)

	root := s.Root()
	s.Close()
	assert.NoDirExists(t, root)
	assert.Equal(t, 1, s.Counts().ServerClosed)
}

func TestSFTP(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	c, err := sftp.NewClient(dial(t, s, "root"), sftp.UseConcurrentWrites(true))
	require.NoError(t, err)
	defer c.Close()

	content := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	f, err := c.Create(s.Path("tmp", "a"))
	require.NoError(t, err)
	_, err = f.ReadFrom(bytes.NewReader(content))
	require.NoError(t, err)
	require.NoError(t, f.Chmod(0o600))
	require.NoError(t, f.Close())
	require.NoError(t, os.WriteFile(s.Path("tmp", "b"), nil, 0o644))
	require.Error(t, c.Rename(s.Path("tmp", "a"), s.Path("tmp", "b")), "plain rename must not replace")
	require.NoError(t, c.PosixRename(s.Path("tmp", "a"), s.Path("tmp", "b")))

	got, err := os.ReadFile(s.Path("tmp", "b"))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(content, got))
	info, err := c.Stat(s.Path("tmp", "b"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	assert.EqualValues(t, len(content), s.Counts().Uploaded)

	r, err := c.Open(s.Path("tmp", "b"))
	require.NoError(t, err)
	got, err = io.ReadAll(r)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(content, got))

	_, err = c.Create("/etc/outside")
	require.ErrorIs(t, err, os.ErrPermission)
	wd, err := c.Getwd()
	require.NoError(t, err)
	assert.Equal(t, s.Home("root"), wd)
}

func TestForwarding(t *testing.T) {
	t.Parallel()
	target := sshtest.Start(t, sshtest.Config{})
	jump := sshtest.Start(t, sshtest.Config{Forwarding: sshtest.Forwarding{
		Only:  []string{"10.9.9.9:22", "127.0.0.1:1"},
		Names: map[string]string{"10.9.9.9:22": target.Addr()},
	}})
	c := dial(t, jump, "root")

	raw, err := c.Dial("tcp", "10.9.9.9:22")
	require.NoError(t, err)
	sc, chans, reqs, err := ssh.NewClientConn(raw, "10.9.9.9:22", config(target, "root"))
	require.NoError(t, err)
	inner := ssh.NewClient(sc, chans, reqs)
	out, _ := plainssh.Run(t, inner, "echo $TRIPOD_ROOT", "")
	assert.Equal(t, target.Root()+"\n", out)
	require.NoError(t, inner.Close())

	var open *ssh.OpenChannelError
	_, err = c.Dial("tcp", target.Addr())
	require.ErrorAs(t, err, &open)
	assert.Equal(t, ssh.Prohibited, open.Reason)
	_, err = c.Dial("tcp", "127.0.0.1:1")
	require.ErrorAs(t, err, &open)
	assert.Equal(t, ssh.ConnectionFailed, open.Reason)
	assert.Equal(t, []string{"10.9.9.9:22", target.Addr(), "127.0.0.1:1"}, jump.Counts().Forwards)
}

func TestStoppedServerRefusesAndResumes(t *testing.T) {
	t.Parallel()
	// An address that no other test listens at: a port that is given back may be
	// somebody else's the moment after.
	s := sshtest.Start(t, sshtest.Config{Listen: "127.93.0.1:0"})
	c := dial(t, s, "root")
	s.Stop()
	_, err := net.Dial("tcp", s.Addr())
	require.ErrorContains(t, err, "refused")
	plainssh.Run(t, c, "true", "") // open connections go on
	require.NoError(t, s.Resume())
	dial(t, s, "root")

	s.DropAll()
	require.Error(t, c.Wait())
}

// connect opens a bare TCP connection.
func connect(t *testing.T, s *sshtest.Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// readAll reads to the end, whichever it is.
func readAll(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	return string(b)
}
