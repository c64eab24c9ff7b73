package sshdial

import (
	"context"
	"maps"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
	"tripod/installer/sshtest/container"
)

func dialContainer(t *testing.T, c *container.Host, login installer.Login) (*Conn, error) {
	return newDialer(t, Config{}).Dial(t.Context(), "p", installer.Host{Endpoint: c.Endpoint()}, installer.Credentials{Login: login}, installer.AcceptNew, nil)
}

// TestRealLogins: each method of login, and a kind for each refusal.
func TestRealLogins(t *testing.T) {
	t.Parallel()
	byMethod := func(t *testing.T, c *container.Host) {
		_, err := dialContainer(t, c, secret("wrong"))
		assert.Contains(t, kind(t, installer.KindAuthRejected, err).Detail, "the server allows")
		conn, err := dialContainer(t, c, c.Login())
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
	checks := map[container.Kind]func(*testing.T, *container.Host){
		container.PasswordKind: byMethod, container.KeyKind: byMethod, container.KeyboardInteractiveKind: byMethod, container.DropbearKind: byMethod,
		container.RootRefusedKind: func(t *testing.T, c *container.Host) {
			e := c.Endpoint()
			e.User = "root"
			_, err := newDialer(t, Config{}).Dial(t.Context(), "p", installer.Host{Endpoint: e}, installer.Credentials{Login: c.Login()}, installer.AcceptNew, nil)
			assert.Contains(t, kind(t, installer.KindAuthRejected, err).Detail, "PermitRootLogin")
		},
		container.ExpiredPromptKind: func(t *testing.T, c *container.Host) {
			_, err := dialContainer(t, c, c.Login())
			kind(t, installer.KindPasswordExpired, err)
		},
		container.ExpiredKind: func(t *testing.T, c *container.Host) {
			conn, err := dialContainer(t, c, c.Login())
			require.NoError(t, err)
			defer conn.Close()
			_, err = conn.Exec(t.Context(), installer.Command{Line: "true"})
			kind(t, installer.KindPasswordExpired, err)
			ctx, cancel := context.WithTimeout(t.Context(), waitLong) // a dialogue that waits for us must not hold the test
			defer cancel()
			_, err = conn.Exec(ctx, installer.Command{Line: "true", PTY: true})
			kind(t, installer.KindPasswordExpired, err)
			kind(t, installer.KindPasswordExpired, conn.Upload(t.Context(), newBlob([]byte("x")), "/tmp/x"))
		},
		container.NoForwardingKind: func(t *testing.T, c *container.Host) {
			conn, err := dialContainer(t, c, c.Login())
			require.NoError(t, err)
			defer conn.Close()
			kind(t, installer.KindChannelDenied, conn.CanForward(t.Context()))
		},
		container.LegacyKind: func(t *testing.T, c *container.Host) {
			_, err := dialContainer(t, c, c.Login())
			kind(t, installer.KindHandshakeFailed, err)
		},
	}
	// The others are in cmd/tripod's TestWaysIn.
	kinds := []container.Kind{container.RootRefusedKind, container.ExpiredKind, container.NoForwardingKind}
	if sshtest.Long() {
		kinds = slices.Collect(maps.Keys(checks))
	}
	for _, c := range container.StartAll(t, kinds) {
		t.Run(string(c.Kind), func(t *testing.T) { checks[c.Kind](t, c) })
	}
}

// TestClosedNetwork: the targets accept only the jump host; its messages when it
// cannot reach one are classified.
func TestClosedNetwork(t *testing.T) {
	t.Parallel()
	n := container.StartNetwork(t, []container.Kind{container.PasswordKind, container.KeyboardInteractiveKind})
	d := newDialer(t, Config{})
	via := func(h installer.Host, login installer.Login) (*Conn, error) {
		h.Via = []installer.Endpoint{n.Jump.Endpoint()}
		return d.Dial(t.Context(), "p", h, installer.Credentials{Login: login, Via: []installer.Login{n.Jump.Login()}}, installer.AcceptNew, nil)
	}
	for _, target := range n.Targets {
		c, err := via(installer.Host{Endpoint: target.Endpoint()}, target.Login())
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.Upload(t.Context(), newBlob(make([]byte, 1<<20)), "/tmp/f"))
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
