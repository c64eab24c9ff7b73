package sshconn

import (
	"bytes"
	"flag"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshtest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "12") // they wait more than they compute
	goleak.VerifyTestMain(m)
}

// long are limits that no test waits for. A test sets the one it is about.
func long() installer.Limits {
	return installer.Limits{
		Connect: time.Minute, Handshake: time.Minute, Auth: time.Minute, Channel: time.Minute,
		UploadStall: time.Minute, Keepalive: time.Minute, ExitGrace: time.Minute,
	}
}

const short = 250 * time.Millisecond

// connect logs in as root, without a Dialer.
func connect(tb testing.TB, limits installer.Limits, s *sshtest.Server) *Conn {
	tb.Helper()
	nc, err := net.Dial("tcp", s.Addr())
	require.NoError(tb, err)
	return open(tb, limits, nc, "root", s.Login("root"))
}

func open(tb testing.TB, limits installer.Limits, nc net.Conn, user string, login installer.Login) *Conn {
	tb.Helper()
	password := login.Password.Reveal()
	auth := []ssh.AuthMethod{ssh.Password(password), ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
		return slices.Repeat([]string{password}, len(questions)), nil
	})}
	if !login.PrivateKey.IsZero() {
		signer, err := ssh.ParsePrivateKey([]byte(login.PrivateKey.Reveal()))
		require.NoError(tb, err)
		auth = []ssh.AuthMethod{ssh.PublicKeys(signer)}
	}
	wire := NewWire(nc)
	sc, chans, reqs, err := ssh.NewClientConn(wire, "host", &ssh.ClientConfig{User: user, Auth: auth, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	require.NoError(tb, err)
	c := New(sc, chans, reqs, wire, limits)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// kind requires a Failure of this kind and returns it.
func kind(tb testing.TB, want installer.Kind, err error) *installer.Failure {
	tb.Helper()
	require.Error(tb, err)
	f := installer.FailureOf(err)
	require.Equal(tb, want, f.Kind, "detail: %s, cause: %v", f.Detail, f.Err)
	require.NotEmpty(tb, f.Detail)
	return f
}

// blob is a Blob in memory.
type blob struct {
	*bytes.Reader
	name string
}

func newBlob(data []byte) blob { return blob{bytes.NewReader(data), "b"} }

func (b blob) Ref() installer.BlobRef { return installer.BlobRef{Size: b.Size(), Name: b.name} }

const (
	waitLong = time.Minute
	waitTick = 5 * time.Millisecond
)
