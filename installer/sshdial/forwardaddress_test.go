package sshdial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

// names is what this side resolves names to.
type names map[string][]netip.Addr

func (n names) lookup(_ context.Context, name string) ([]netip.Addr, error) {
	if addrs, ok := n[name]; ok {
		return addrs, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// TestC07PolicyBehindAJumpHost: a target that the policy denies is not reached
// through a jump host either, by address or by name.
func TestC07PolicyBehindAJumpHost(t *testing.T) {
	t.Parallel()
	hop := sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0")})
	target := sshtest.Start(t, sshtest.Config{})
	private := sshtest.Start(t, sshtest.Config{}) // on the hop's loopback
	port := private.Endpoint("").Port
	d := newDialer(t, Config{Limits: long(), Policy: func(ap netip.AddrPort) error {
		if ap.Addr().IsLinkLocalUnicast() || ap.Addr() == netip.IPv6Loopback() || ap.Port() == port {
			return errors.New("the policy says no")
		}
		return nil
	}})
	loopback, metadata := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("169.254.169.254")
	d.lookup = names{
		"metadata.internal": {metadata},
		"mapped.example":    {netip.MustParseAddr("::ffff:169.254.169.254")},
		"db.example":        {loopback},
		"nothing.example":   {},
		"both.example":      {netip.IPv6Loopback(), loopback},
		"localhost":         {loopback}, "a.localhost": {loopback},
	}.lookup
	dial := func(address string, port uint16) error {
		host, creds := behind(target, hop)
		host.Address, host.Port = address, port
		c, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
		if err == nil {
			require.NoError(t, c.Close())
		}
		return err
	}
	for _, denied := range []struct {
		address string
		port    uint16
		says    string
	}{
		{"169.254.169.254", 22, "169.254.169.254:22: the policy says no"},
		{"::ffff:169.254.169.254", 22, "the policy says no"},
		{"127.0.0.1", port, "the policy says no"},
		{"metadata.internal", 22, "169.254.169.254:22: the policy says no"},
		{"mapped.example", 22, "169.254.169.254:22: the policy says no"},
		{"db.example", port, "the policy says no"},
		{"localhost", target.Endpoint("").Port, "is the jump host hop@"},
		{"LocalHost.", target.Endpoint("").Port, "is the jump host hop@"},
		{"a.localhost", target.Endpoint("").Port, "is the jump host hop@"},
		{"only-there.example", 22, "give the host's IP address"},
		{"nothing.example", 22, "give the host's IP address"},
		{"2130706433", 22, "give the host's IP address"}, // 127.0.0.1, for some resolvers
	} {
		f := kind(t, installer.KindPolicyDenied, dial(denied.address, denied.port))
		assert.Contains(t, f.Detail, denied.says, denied.address)
	}
	assert.Empty(t, hop.Counts().Forwards, "the jump host was asked for none of them")
	assert.Zero(t, private.Counts().Connections)

	to := target.Endpoint("").Port
	require.NoError(t, dial("127.0.0.1", to))
	require.NoError(t, dial("both.example", to))
	assert.Equal(t, []string{target.Addr(), target.Addr()}, hop.Counts().Forwards, "an address that was allowed, and no name")
}

// TestNamesBehindAJumpHost: several addresses are tried in turn; without a policy
// the jump host resolves names.
func TestNamesBehindAJumpHost(t *testing.T) {
	t.Parallel()
	target := sshtest.Start(t, sshtest.Config{})
	host, creds := root(target)
	port := ":" + portOf(target)
	hop := sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0"), Forwarding: sshtest.Forwarding{Names: map[string]string{
		"10.0.0.1" + port: "127.0.0.1:1", "10.0.0.2" + port: target.Addr(), "inside.example" + port: target.Addr(),
	}}})
	_, via := behind(target, hop)
	creds.Via, host.Via = via.Via, []installer.Endpoint{hop.Endpoint("hop")}
	host.Address = "inside.example"
	asked := 0
	for _, policy := range []func(netip.AddrPort) error{nil, func(netip.AddrPort) error { asked++; return nil }} {
		d := newDialer(t, Config{Limits: long(), Policy: policy})
		d.lookup = names{"inside.example": {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}}.lookup
		c, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	assert.Equal(t, []string{"inside.example" + port, "10.0.0.1" + port, "10.0.0.2" + port}, hop.Counts().Forwards)
	assert.Equal(t, 3, asked, "two addresses, and the jump host's own")
}

func portOf(s *sshtest.Server) string {
	_, port, _ := net.SplitHostPort(s.Addr())
	return port
}

// TestConnectLimitIsForAllAddresses: a name with many addresses has Limits.Connect
// for all of them, not for each one.
func TestConnectLimitIsForAllAddresses(t *testing.T) {
	t.Parallel()
	target := sshtest.Start(t, sshtest.Config{})
	hop := sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0")})
	host, creds := behind(target, hop)
	d := newDialer(t, Config{Limits: long(), Policy: func(netip.AddrPort) error { return nil }})
	via, fail := d.acquire(t.Context(), "p", installer.Route{Hops: host.Via, Logins: creds.Via}, installer.AcceptNew)
	require.Nil(t, fail)
	defer via.release()

	many := names{}
	for range 20 {
		many["many.example"] = append(many["many.example"], netip.MustParseAddr("127.0.0.1"))
	}
	d.lookup = many.lookup
	d.limits.Connect = 200 * time.Millisecond
	// Each is refused, later than after half of the time.
	hop.Inject(sshtest.Fault{Stage: sshtest.ChannelOpen, Action: sshtest.Delay, Delay: 150 * time.Millisecond, Match: "direct-tcpip"})
	_, fail, _ = d.forward(t.Context(), via, installer.Endpoint{Address: "many.example", Port: 1, User: "root"})
	require.NotNil(t, fail)
	assert.Equal(t, installer.KindUnreachable, fail.Kind, fail.Detail)
	assert.LessOrEqual(t, len(hop.Counts().Forwards), 2)
}
