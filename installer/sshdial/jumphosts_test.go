package sshdial

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

func user(name, password string) []sshtest.User {
	return []sshtest.User{{Name: name, Password: password}}
}

func secret(s string) installer.Login { return installer.Login{Password: installer.NewSecret(s)} }

// behind returns a target that is reached through the hops.
func behind(target *sshtest.Server, hops ...*sshtest.Server) (installer.Host, installer.Credentials) {
	host, creds := root(target)
	for i, h := range hops {
		host.Via = append(host.Via, h.Endpoint("hop"))
		creds.Via = append(creds.Via, secret("hop"+strconv.Itoa(i)))
	}
	return host, creds
}

func TestChainOfJumpHosts(t *testing.T) {
	t.Parallel()
	hops := []*sshtest.Server{
		sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0")}),
		sshtest.Start(t, sshtest.Config{Users: user("hop", "hop1")}),
	}
	target := sshtest.Start(t, sshtest.Config{})
	keys := newKeys()
	d := newDialer(t, Config{HostKeys: keys})
	host, creds := behind(target, hops...)
	c, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = c.Exec(t.Context(), installer.Command{Line: "echo there", Stdout: &out})
	require.NoError(t, err)
	assert.Equal(t, "there\n", out.String())
	data := make([]byte, 3<<20)
	require.NoError(t, c.Upload(t.Context(), newBlob(data), target.Path("tmp", "f")))
	require.NoError(t, c.Close())

	assert.Equal(t, []string{hops[1].Addr()}, hops[0].Counts().Forwards)
	assert.Equal(t, []string{target.Addr()}, hops[1].Counts().Forwards)
	assert.Equal(t, []string{"hop0"}, hops[0].Counts().Passwords, "each server gets its own login only")
	assert.Equal(t, []string{"hop1"}, hops[1].Counts().Passwords)
	assert.Equal(t, []string{creds.Password.Reveal()}, target.Counts().Passwords)
	assert.Equal(t, map[string][]string{
		"p/" + hops[0].Addr(): {hops[0].HostKey()}, "p/" + hops[1].Addr(): {hops[1].HostKey()}, "p/" + target.Addr(): {target.HostKey()},
	}, keys.all())
}

func TestJumpHostIsShared(t *testing.T) {
	t.Parallel()
	hop := sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0")})
	target := sshtest.Start(t, sshtest.Config{})
	d := newDialer(t, Config{})
	d.handshakes = 3
	host, creds := behind(target, hop)
	const n = 20
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []*Conn
	for range n {
		wg.Go(func() {
			c, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
			if assert.NoError(t, err) {
				mu.Lock()
				defer mu.Unlock()
				conns = append(conns, c)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 1, hop.Counts().Connections, "one connection for all")
	assert.Equal(t, n, target.Counts().Handshakes)
	for _, c := range conns {
		require.NoError(t, c.Close())
	}
	c, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	assert.Equal(t, 1, hop.Counts().Connections, "kept for a while")

	other, err := d.Dial(t.Context(), "another project", host, creds, installer.AcceptNew, nil)
	require.NoError(t, err)
	require.NoError(t, other.Close())
	assert.Equal(t, 2, hop.Counts().Connections, "never shared between projects")

	hop.DropAll()
	require.NoError(t, hop.Wait(t.Context(), func(c sshtest.Counts) bool { return c.Open == 0 }))
	require.Eventually(t, func() bool {
		c, err = d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
		return err == nil
	}, waitLong, waitTick, "dialled again when dead: %v", err)
	require.NoError(t, c.Close())
}

func TestJumpHostLost(t *testing.T) {
	t.Parallel()
	hop := sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0")})
	target := sshtest.Start(t, sshtest.Config{})
	host, creds := behind(target, hop)
	c, err := newDialer(t, Config{Limits: long()}).Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
	require.NoError(t, err)
	defer c.Close()
	r, w := io.Pipe()
	go func() {
		_, _ = r.Read(make([]byte, len("up\n")))
		hop.DropAll()
	}()
	_, err = c.Exec(t.Context(), installer.Command{Line: "echo up; exec sleep 600", Stdout: w})
	kind(t, installer.KindLostContact, err)
}

func TestSilentJumpHostLosesItsTargets(t *testing.T) {
	t.Parallel()
	hop := sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0")})
	target := sshtest.Start(t, sshtest.Config{})
	host, creds := behind(target, hop)
	l := long()
	l.Keepalive = 3 * time.Second
	c, err := newDialer(t, Config{Limits: l}).Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
	require.NoError(t, err)
	defer c.Close()
	hop.Inject(sshtest.Fault{Stage: sshtest.Inbound, Action: sshtest.Stall})
	_, err = c.Exec(t.Context(), installer.Command{Line: "true"})
	kind(t, installer.KindLostContact, err)
}

// TestJumpHostLostWhileConnecting is not taken for the target's refusal, which
// would never be tried again.
func TestJumpHostLostWhileConnecting(t *testing.T) {
	t.Parallel()
	hop := sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0")})
	target := sshtest.Start(t, sshtest.Config{Faults: []sshtest.Fault{{Stage: sshtest.Auth, Action: sshtest.Stall, Match: "password"}}})
	host, creds := behind(target, hop)
	go func() {
		_ = target.Wait(t.Context(), func(c sshtest.Counts) bool { return len(c.Passwords) > 0 })
		hop.DropAll()
	}()
	_, err := newDialer(t, Config{Limits: long()}).Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
	f := kind(t, installer.KindLostContact, err)
	assert.Contains(t, f.Detail, "jump host hop@")
}

// TestJumpHostFaults: the kind is that of what happened, and the text says
// that it was the jump host, or the target behind it.
func TestJumpHostFaults(t *testing.T) {
	t.Parallel()
	closedPort := unusedPort(t)
	limits := long()
	limits.Connect = 12 * short // a slow machine has time to answer for its target
	for _, tc := range []struct {
		name   string
		cfg    sshtest.Config
		change func(*installer.Host, *installer.Credentials)
		limits installer.Limits
		want   installer.Kind
		says   string
	}{
		{"wrong login", sshtest.Config{}, func(_ *installer.Host, c *installer.Credentials) { c.Via[0] = secret("wrong") }, long(), installer.KindAuthRejected, "jump host hop@"},
		{"no login", sshtest.Config{}, func(_ *installer.Host, c *installer.Credentials) { c.Via = nil }, long(), installer.KindCredentialMissing, "jump host"},
		{"jump host down", sshtest.Config{}, func(h *installer.Host, _ *installer.Credentials) { h.Via[0].Port = closedPort }, long(), installer.KindRefused, "jump host hop@"},
		{"forwarding denied", sshtest.Config{Forwarding: sshtest.Forwarding{Denied: true}}, nil, long(), installer.KindChannelDenied, "does not forward"},
		{"target closed", sshtest.Config{}, func(h *installer.Host, _ *installer.Credentials) { h.Port = closedPort }, long(), installer.KindRefused, "from jump host hop@"},
		{"target unknown", sshtest.Config{}, func(h *installer.Host, _ *installer.Credentials) { h.Address = "no-such-host.invalid" }, long(), installer.KindResolve, "from jump host hop@"},
		{"target dead", sshtest.Config{Faults: []sshtest.Fault{{Stage: sshtest.ChannelOpen, Action: sshtest.Stall, Match: "direct-tcpip"}}}, nil, limits, installer.KindUnreachable, "from jump host hop@"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.cfg.Users = user("hop", "hop0")
			hop := sshtest.Start(t, tc.cfg)
			target := sshtest.Start(t, sshtest.Config{})
			host, creds := behind(target, hop)
			if tc.change != nil {
				tc.change(&host, &creds)
			}
			_, err := newDialer(t, Config{Limits: tc.limits}).Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
			f := kind(t, tc.want, err)
			assert.Contains(t, f.Detail, tc.says)
			assert.Equal(t, tc.name == "wrong login" || tc.name == "jump host down", f.JumpHost)
			assert.Zero(t, target.Counts().Handshakes)
			t.Log(f.Detail)
		})
	}
}

// TestRejectedJumpHostLoginIsSentOnce, however many targets want it.
func TestRejectedJumpHostLoginIsSentOnce(t *testing.T) {
	t.Parallel()
	hop := sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0")})
	target := sshtest.Start(t, sshtest.Config{})
	host, creds := behind(target, hop)
	creds.Via[0] = secret("wrong")
	d := newDialer(t, Config{})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 3 {
				_, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
				assert.Equal(t, installer.KindAuthRejected, installer.FailureOf(err).Kind)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, []string{"wrong"}, hop.Counts().Passwords)
	creds.Via[0] = secret("hop0")
	c, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
	require.NoError(t, err, "the right one is another login")
	require.NoError(t, c.Close())
}

// TestAbandonedDialIsNoFailure: where the only one who waits gives up, nothing is
// known of the jump host, and the next one tries it.
func TestAbandonedDialIsNoFailure(t *testing.T) {
	t.Parallel()
	hop := sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0")})
	target := sshtest.Start(t, sshtest.Config{})
	remove := hop.Inject(sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Stall})
	host, creds := behind(target, hop)
	d := newDialer(t, Config{Limits: long()})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_ = hop.Wait(ctx, func(c sshtest.Counts) bool { return c.Connections > 0 })
		cancel()
	}()
	_, err := d.Dial(ctx, "p", host, creds, installer.AcceptNew, nil)
	kind(t, installer.KindCanceled, err)
	d.wg.Wait()
	assert.False(t, d.breaker.anyOpen())
	remove()
	c, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// TestOneWaiterLeaves: who gives up does not take the dial from the others.
func TestOneWaiterLeaves(t *testing.T) {
	t.Parallel()
	hop := sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0")})
	target := sshtest.Start(t, sshtest.Config{})
	remove := hop.Inject(sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Stall})
	host, creds := behind(target, hop)
	d := newDialer(t, Config{Limits: long()})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := d.Dial(ctx, "p", host, creds, installer.AcceptNew, nil)
		assert.Equal(t, installer.KindCanceled, installer.FailureOf(err).Kind)
		remove()
	})
	wg.Go(func() {
		c, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
		if assert.NoError(t, err) {
			_ = c.Close()
		}
	})
	require.NoError(t, hop.Wait(t.Context(), func(c sshtest.Counts) bool { return c.Attempts["none"] > 0 || c.Connections > 0 }))
	require.Eventually(t, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, s := range d.jumpHosts {
			return s.refs == 2
		}
		return false
	}, waitLong, waitTick)
	cancel()
	wg.Wait()
	assert.Equal(t, 1, hop.Counts().Connections)
}
