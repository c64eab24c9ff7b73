package sshdial

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

func TestDialAndExec(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	c := connect(t, newDialer(t, Config{}), s)
	var out, errOut bytes.Buffer
	code, err := c.Exec(t.Context(), installer.Command{Line: "cat; echo oops >&2; exit 3", Stdin: bytes.NewBufferString("hello"), Stdout: &out, Stderr: &errOut})
	require.NoError(t, err)
	assert.Equal(t, 3, code)
	assert.Equal(t, "hello", out.String())
	assert.Equal(t, "oops\n", errOut.String())
}

// TestA11ConnectStages: whatever a server does while we connect, the failure
// has that stage's kind, and comes within that stage's limit.
func TestA11ConnectStages(t *testing.T) {
	t.Parallel()
	handshake, auth := long(), long()
	handshake.Handshake = short
	auth.Auth = short
	for _, tc := range []struct {
		name   string
		fault  sshtest.Fault
		limits installer.Limits
		want   installer.Kind
	}{
		{"accept stalls", sshtest.Fault{Stage: sshtest.Accept, Action: sshtest.Stall}, handshake, installer.KindHandshakeTimeout},
		{"accept drops", sshtest.Fault{Stage: sshtest.Accept, Action: sshtest.Drop}, long(), installer.KindThrottled},
		{"accept resets", sshtest.Fault{Stage: sshtest.Accept, Action: sshtest.Reset}, long(), installer.KindThrottled},
		{"maxstartups", sshtest.Fault{Stage: sshtest.Accept, Action: sshtest.Refuse}, long(), installer.KindThrottled},
		{"penalty", sshtest.Fault{Stage: sshtest.Accept, Action: sshtest.Refuse, Text: "Not allowed at this time\r\n"}, long(), installer.KindThrottled},
		{"version stalls", sshtest.Fault{Stage: sshtest.Version, Action: sshtest.Stall}, handshake, installer.KindHandshakeTimeout},
		{"version drips", sshtest.Fault{Stage: sshtest.Version, Action: sshtest.Drip, Delay: short / 4}, handshake, installer.KindHandshakeTimeout},
		{"version drops", sshtest.Fault{Stage: sshtest.Version, Action: sshtest.Drop}, long(), installer.KindThrottled},
		{"version resets", sshtest.Fault{Stage: sshtest.Version, Action: sshtest.Reset}, long(), installer.KindThrottled},
		{"version floods", sshtest.Fault{Stage: sshtest.Version, Action: sshtest.Flood}, long(), installer.KindHandshakeFailed},
		{"version garbage", sshtest.Fault{Stage: sshtest.Version, Action: sshtest.Garbage, Text: "HTTP/1.1 400 Bad Request\r\n\r\n"}, long(), installer.KindHandshakeFailed},
		{"kexinit stalls", sshtest.Fault{Stage: sshtest.KexInit, Action: sshtest.Stall}, handshake, installer.KindHandshakeTimeout},
		{"kexinit drops", sshtest.Fault{Stage: sshtest.KexInit, Action: sshtest.Drop}, long(), installer.KindHandshakeFailed},
		{"kexinit garbage", sshtest.Fault{Stage: sshtest.KexInit, Action: sshtest.Garbage}, long(), installer.KindHandshakeFailed},
		// The host key has been accepted then: it is the login's time.
		{"newkeys stalls", sshtest.Fault{Stage: sshtest.NewKeys, Action: sshtest.Stall}, auth, installer.KindAuthTimeout},
		{"auth stalls at none", sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Stall, Match: "none"}, auth, installer.KindAuthTimeout},
		{"auth stalls", sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Stall, Match: "password"}, auth, installer.KindAuthTimeout},
		{"auth drops", sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Drop, Match: "password"}, long(), installer.KindAuthRejected},
		{"auth drops at none", sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Drop, Match: "none"}, long(), installer.KindThrottled},
		{"auth refuses", sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Refuse}, long(), installer.KindAuthRejected},
		{"banner stalls", sshtest.Fault{Stage: sshtest.Banner, Action: sshtest.Stall}, auth, installer.KindAuthTimeout},
		{"banner floods", sshtest.Fault{Stage: sshtest.Banner, Action: sshtest.Flood}, long(), installer.KindHandshakeFailed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := sshtest.Start(t, sshtest.Config{Faults: []sshtest.Fault{tc.fault}})
			d := newDialer(t, Config{Limits: tc.limits})
			host, creds := root(s)
			_, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
			f := kind(t, tc.want, err)
			assert.NotContains(t, f.Detail, creds.Password.Reveal())
			t.Log(f.Detail)
		})
	}
}

func TestDialWhereNobodyListens(t *testing.T) {
	t.Parallel()
	port := unusedPort(t)
	creds := installer.Credentials{Login: installer.Login{Password: installer.NewSecret("x")}}
	d := newDialer(t, Config{Limits: long()})

	_, err := d.Dial(t.Context(), "p", installer.Host{Endpoint: installer.Endpoint{Address: "127.0.0.1", Port: port, User: "root"}}, creds, installer.AcceptNew, nil)
	kind(t, installer.KindRefused, err)

	_, err = d.Dial(t.Context(), "p", installer.Host{Endpoint: installer.Endpoint{Address: "no-such-host.invalid", Port: 22, User: "root"}}, creds, installer.AcceptNew, nil)
	kind(t, installer.KindResolve, err)

	_, err = d.Dial(t.Context(), "p", installer.Host{Endpoint: installer.Endpoint{Address: "127.0.0.1", Port: port, User: "root"}}, installer.Credentials{}, installer.AcceptNew, nil)
	kind(t, installer.KindCredentialMissing, err)
}

func TestC07PolicyOnTheAddressDialled(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	var asked netip.AddrPort
	d := newDialer(t, Config{Policy: func(ap netip.AddrPort) error {
		asked = ap
		return errors.New("loopback is not allowed")
	}})
	host, creds := root(s)
	for _, name := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1"} {
		host.Address = name
		_, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
		f := kind(t, installer.KindPolicyDenied, err)
		assert.Contains(t, f.Detail, "loopback is not allowed")
		assert.True(t, asked.Addr() == netip.MustParseAddr("127.0.0.1") || asked.Addr() == netip.IPv6Loopback(), "%s", asked)
		assert.Equal(t, host.Port, asked.Port())
	}
	assert.Zero(t, s.Counts().Connections)
}

func TestDialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{Faults: []sshtest.Fault{{Stage: sshtest.KexInit, Action: sshtest.Stall}}})
	d := newDialer(t, Config{Limits: long()})
	host, creds := root(s)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		_ = s.Wait(ctx, func(c sshtest.Counts) bool { return c.Connections > 0 })
		cancel(installer.ErrCanceled)
	}()
	_, err := d.Dial(ctx, "p", host, creds, installer.AcceptNew, nil)
	kind(t, installer.KindCanceled, err)
	require.ErrorIs(t, err, installer.ErrCanceled)
}

// TestDialOutlivesItsContext: the context bounds Dial alone.
func TestDialOutlivesItsContext(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	d := newDialer(t, Config{})
	host, creds := root(s)
	ctx, cancel := context.WithCancel(t.Context())
	c, err := d.Dial(ctx, "p", host, creds, installer.AcceptNew, nil)
	require.NoError(t, err)
	defer c.Close()
	cancel()
	code, err := c.Exec(t.Context(), installer.Command{Line: "true"})
	require.NoError(t, err)
	assert.Zero(t, code)
}
