package sshconn

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

// TestManyAddressesBehindAnInstaller: a name with many addresses has Limits.Connect
// for all of them, not for each one.
func TestManyAddressesBehindAnInstaller(t *testing.T) {
	t.Parallel()
	target := sshtest.Start(t, sshtest.Config{})
	hop := sshtest.Start(t, sshtest.Config{Users: user("hop", "hop0")})
	host, creds := behind(target, hop)
	d := newDialer(t, Config{Limits: long(), Policy: func(netip.AddrPort) error { return nil }})
	via, fail := d.acquire(t.Context(), "p", host.Via, creds.Via, installer.AcceptNew)
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
	_, fail, _ = d.dialThrough(t.Context(), via, installer.Endpoint{Address: "many.example", Port: 1, User: "root"})
	require.NotNil(t, fail)
	assert.Equal(t, installer.KindUnreachable, fail.Kind, fail.Detail)
	assert.LessOrEqual(t, len(hop.Counts().Forwards), 2)
}
