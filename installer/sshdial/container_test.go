package sshdial

import (
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

// TestRealLogins: each method of login, and a kind for each refusal.
func TestRealLogins(t *testing.T) {
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

		c, err := dialContainer(t, hosts[k], hosts[k].Login())
		require.NoError(t, err, k)
		require.NoError(t, c.Close())
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

// TestClosedNetwork: the targets accept only the jump host; its messages when it
// cannot reach one are classified.
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
		require.NoError(t, c.Upload(t.Context(), installer.Upload{Blob: newBlob(make([]byte, 1<<20)), Path: "/tmp/f"}))
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
