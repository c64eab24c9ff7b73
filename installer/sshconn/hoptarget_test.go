package sshconn

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

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

// TestC07PolicyBehindAnInstaller: what the policy denies is no more reached by an
// installer's connection than by one's own, by address or by name.
func TestC07PolicyBehindAnInstaller(t *testing.T) {
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
		c, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew)
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
		{"localhost", target.Endpoint("").Port, "is the installer hop@"},
		{"LocalHost.", target.Endpoint("").Port, "is the installer hop@"},
		{"a.localhost", target.Endpoint("").Port, "is the installer hop@"},
		{"only-there.example", 22, "give the host's IP address"},
		{"nothing.example", 22, "give the host's IP address"},
		{"2130706433", 22, "give the host's IP address"}, // 127.0.0.1, for some resolvers
	} {
		f := kind(t, installer.KindPolicyDenied, dial(denied.address, denied.port))
		assert.Contains(t, f.Detail, denied.says, denied.address)
	}
	assert.Empty(t, hop.Counts().Forwards, "the installer was asked for none of them")
	assert.Zero(t, private.Counts().Connections)

	to := target.Endpoint("").Port
	require.NoError(t, dial("127.0.0.1", to))
	require.NoError(t, dial("both.example", to))
	assert.Equal(t, []string{target.Addr(), target.Addr()}, hop.Counts().Forwards, "an address that was allowed, and no name")
}

// TestNamesBehindAnInstaller: several addresses are tried in turn; without a policy
// the installer resolves names.
func TestNamesBehindAnInstaller(t *testing.T) {
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
		c, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	assert.Equal(t, []string{"inside.example" + port, "10.0.0.1" + port, "10.0.0.2" + port}, hop.Counts().Forwards)
	assert.Equal(t, 3, asked, "two addresses, and the installer's own")
}

func portOf(s *sshtest.Server) string {
	_, port, _ := net.SplitHostPort(s.Addr())
	return port
}
