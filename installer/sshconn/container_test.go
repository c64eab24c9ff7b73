package sshconn

import (
	"bytes"
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

func dialContainer(t *testing.T, c *sshtest.Container, login installer.Login) (*Conn, error) {
	return newDialer(t, Config{}).Dial(t.Context(), "p", installer.Host{Endpoint: c.Endpoint()}, installer.Credentials{Login: login}, installer.AcceptNew)
}

// TestRealServers: every way in and both ways of uploading, on real sshd's.
func TestRealServers(t *testing.T) {
	t.Parallel()
	by := map[sshtest.ContainerKind]string{
		sshtest.PasswordKind:            BySFTP,
		sshtest.KeyKind:                 BySFTP,
		sshtest.KeyboardInteractiveKind: BySFTP,
		sshtest.SudoPasswordKind:        BySFTP,
		sshtest.MaxSessionsKind:         BySFTP,
		sshtest.SFTPOffKind:             ByExec,
		sshtest.ChattyKind:              ByExec,
		sshtest.DropbearKind:            "", // whether it has one depends on what else is installed
		sshtest.CshKind:                 BySFTP,
		sshtest.FishKind:                BySFTP,
	}
	kinds := make([]sshtest.ContainerKind, 0, len(by))
	for k := range by {
		kinds = append(kinds, k)
	}
	for _, host := range sshtest.StartContainers(t, kinds) {
		t.Run(string(host.Kind), func(t *testing.T) {
			c, err := dialContainer(t, host, host.Login())
			require.NoError(t, err)
			defer c.Close()
			try := func(want string) {
				for _, size := range []int{10 << 10, 1<<20 + 5} {
					data := randomBytes(size)
					require.NoError(t, c.Upload(t.Context(), installer.Upload{Blob: newBlob(data), Path: "/tmp/it's"}))
					if want != "" {
						assert.Equal(t, want, c.UploadedBy())
					}
					var out bytes.Buffer
					code, err := c.Exec(t.Context(), installer.Command{Line: `exec sh -c 'cat "$1"' sh "/tmp/it'\''s"`, Stdout: &out})
					if host.Kind == sshtest.CshKind || host.Kind == sshtest.FishKind || code != 0 {
						out.Reset() // the quoting above is for POSIX shells
						code, err = c.Exec(t.Context(), installer.Command{Line: `exec sh -c 'cat /tmp/it*'`, Stdout: &out})
					}
					require.NoError(t, err)
					assert.Zero(t, code)
					assert.True(t, bytes.HasSuffix(out.Bytes(), data), "%d bytes", out.Len())
				}
			}
			try(by[host.Kind])
			c.sftp.off = true // the other way must work in each login shell too
			try(ByExec)

			var tty bytes.Buffer
			_, err = c.Exec(t.Context(), installer.Command{Line: `exec sh -c 'tty; cat'`, Stdin: bytes.NewBufferString("in\n"), Stdout: &tty, PTY: true})
			require.NoError(t, err)
			assert.Contains(t, tty.String(), "/dev/pts/")
			assert.Contains(t, tty.String(), "in\n")
			assert.NotContains(t, tty.String(), "\r")
			require.NoError(t, c.CanForward(t.Context()))
		})
	}
}

// TestRealRefusals: each ends with its own kind.
func TestRealRefusals(t *testing.T) {
	t.Parallel()
	hosts := map[sshtest.ContainerKind]*sshtest.Container{}
	for _, h := range sshtest.StartContainers(t, []sshtest.ContainerKind{
		sshtest.PasswordKind, sshtest.KeyKind, sshtest.KeyboardInteractiveKind, sshtest.RootRefusedKind, sshtest.ExpiredKind,
		sshtest.ExpiredPromptKind, sshtest.NoForwardingKind, sshtest.LegacyKind, sshtest.DropbearKind,
	}) {
		hosts[h.Kind] = h
	}
	for _, k := range []sshtest.ContainerKind{sshtest.PasswordKind, sshtest.KeyKind, sshtest.KeyboardInteractiveKind, sshtest.DropbearKind} {
		_, err := dialContainer(t, hosts[k], secret("wrong"))
		f := kind(t, installer.KindAuthRejected, err)
		assert.Contains(t, f.Detail, "the server allows", k)
		t.Log(f.Detail)
	}

	refused := hosts[sshtest.RootRefusedKind]
	e := refused.Endpoint()
	e.User = "root"
	_, err := newDialer(t, Config{}).Dial(t.Context(), "p", installer.Host{Endpoint: e}, installer.Credentials{Login: refused.Login()}, installer.AcceptNew)
	assert.Contains(t, kind(t, installer.KindAuthRejected, err).Detail, "PermitRootLogin")

	_, err = dialContainer(t, hosts[sshtest.ExpiredPromptKind], hosts[sshtest.ExpiredPromptKind].Login())
	kind(t, installer.KindPasswordExpired, err)

	c, err := dialContainer(t, hosts[sshtest.ExpiredKind], hosts[sshtest.ExpiredKind].Login())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Exec(t.Context(), installer.Command{Line: "true"})
	kind(t, installer.KindPasswordExpired, err)
	ctx, cancel := context.WithTimeout(t.Context(), waitLong) // a dialogue that waits for us must not hold the test
	defer cancel()
	_, err = c.Exec(ctx, installer.Command{Line: "true", PTY: true})
	kind(t, installer.KindPasswordExpired, err)
	kind(t, installer.KindPasswordExpired, c.Upload(t.Context(), installer.Upload{Blob: newBlob([]byte("x")), Path: "/tmp/x"}))

	n, err := dialContainer(t, hosts[sshtest.NoForwardingKind], hosts[sshtest.NoForwardingKind].Login())
	require.NoError(t, err)
	defer n.Close()
	kind(t, installer.KindChannelDenied, n.CanForward(t.Context()))

	_, err = dialContainer(t, hosts[sshtest.LegacyKind], hosts[sshtest.LegacyKind].Login())
	t.Log(kind(t, installer.KindHandshakeFailed, err).Detail)
}

// TestClosedNetwork: the targets accept only the installer; what it says when
// it cannot reach one is understood.
func TestClosedNetwork(t *testing.T) {
	t.Parallel()
	n := sshtest.StartNetwork(t, []sshtest.ContainerKind{sshtest.PasswordKind, sshtest.KeyboardInteractiveKind})
	d := newDialer(t, Config{})
	via := func(h installer.Host, login installer.Login) (*Conn, error) {
		h.Via = []installer.Endpoint{n.Jump.Endpoint()}
		return d.Dial(t.Context(), "p", h, installer.Credentials{Login: login, Via: []installer.Login{n.Jump.Login()}}, installer.AcceptNew)
	}
	for _, target := range n.Targets {
		c, err := via(installer.Host{Endpoint: target.Endpoint()}, target.Login())
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.Upload(t.Context(), installer.Upload{Blob: newBlob(randomBytes(1 << 20)), Path: "/tmp/f"}))
		code, err := c.Exec(t.Context(), installer.Command{Line: "exit 3"})
		require.NoError(t, err)
		assert.Equal(t, 3, code)
	}
	closed := n.Targets[0].Endpoint()
	closed.Port = 23
	_, err := via(installer.Host{Endpoint: closed}, secret("x"))
	t.Log(kind(t, installer.KindRefused, err).Detail)

	ip := net.ParseIP(n.Targets[0].InsideAddress()).To4()
	require.NotNil(t, ip)
	ip[3] = 250
	_, err = via(installer.Host{Endpoint: installer.Endpoint{Address: ip.String(), Port: 22, User: "root"}}, secret("x"))
	t.Log(kind(t, installer.KindUnreachable, err).Detail)

	_, err = via(installer.Host{Endpoint: installer.Endpoint{Address: "no-such-host.invalid", Port: 22, User: "root"}}, secret("x"))
	f := installer.FailureOf(err)
	assert.Contains(t, []installer.Kind{installer.KindResolve, installer.KindUnreachable}, f.Kind, f.Detail)
	t.Log(f.Detail)
}
