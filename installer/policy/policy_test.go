package policy

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func prefixes(t testing.TB, list ...string) (out []netip.Prefix) {
	t.Helper()
	for _, s := range list {
		p, err := ParsePrefix(s)
		require.NoError(t, err)
		out = append(out, p)
	}
	return out
}

func TestBTargetsDeniedByDefault(t *testing.T) {
	t.Parallel()
	own := []netip.Prefix{netip.MustParsePrefix("10.9.8.7/20"), netip.MustParsePrefix("2001:db8::7/64"), netip.MustParsePrefix("127.0.0.1/8")}
	p, err := build(nil, nil, own)
	require.NoError(t, err)
	for _, denied := range []string{
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "169.254.1.1", "169.254.169.254", "100.100.100.200",
		"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"10.9.8.7", "10.9.15.255", "2001:db8::7",
		"::", "::1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.9.8.7",
		"64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::127.0.0.1", "64:ff9b::10.9.8.7",
		"2002:7f00:1::", "2002:a9fe:a9fe::1",
	} {
		err := p.Check(netip.MustParseAddr(denied))
		if !assert.Error(t, err, denied) {
			continue
		}
		assert.Contains(t, err.Error(), netip.MustParseAddr(denied).String())
	}
	for _, allowed := range []string{"10.0.0.1", "10.9.8.8", "192.168.1.1", "8.8.8.8", "172.17.0.2", "2001:db8::8", "64:ff9b::8.8.8.8", "2002:808:808::1", "::ffff:10.0.0.1"} {
		assert.NoError(t, p.Check(netip.MustParseAddr(allowed)), allowed)
	}
	assert.Error(t, p.Check(netip.Addr{}), "the zero address")
}

func TestMostSpecificPrefixDecides(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		allow, deny []string
		allowed     []string
		denied      []string
	}{
		{"loopback by name", []string{"127.0.0.0/8"}, nil, []string{"127.0.0.1", "127.3.2.1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"}, []string{"::1", "169.254.169.254"}},
		{"one loopback address", []string{"127.0.0.1"}, nil, []string{"127.0.0.1"}, []string{"127.0.0.2"}},
		{"everything is no name", []string{"0.0.0.0/0", "::/0"}, nil, []string{"10.0.0.1"}, []string{"127.0.0.1", "169.254.169.254", "::1", "10.9.8.7"}},
		{"link-local does not open metadata", []string{"169.254.0.0/16"}, nil, []string{"169.254.1.1"}, []string{"169.254.169.254"}},
		{"metadata by name", []string{"169.254.169.254/32"}, nil, []string{"169.254.169.254"}, []string{"169.254.1.1"}},
		{"own address by name", []string{"10.9.8.7"}, nil, []string{"10.9.8.7"}, nil},
		{"a closed list", []string{"10.1.0.0/16"}, []string{"0.0.0.0/0", "::/0"}, []string{"10.1.2.3"}, []string{"10.2.0.1", "8.8.8.8", "2001:db8::1"}},
		{"a hole in the allowed", []string{"10.0.0.0/8"}, []string{"10.1.0.0/16"}, []string{"10.2.0.1"}, []string{"10.1.0.1"}},
		{"deny goes first", []string{"10.0.0.0/8"}, []string{"10.0.0.0/8"}, nil, []string{"10.0.0.1"}},
		{"the wrapper alone is not enough", []string{"64:ff9b::/96"}, nil, nil, []string{"64:ff9b::127.0.0.1"}},
		{"bits below the mask do not matter", []string{"127.0.0.1/8"}, nil, []string{"127.0.0.9"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, err := build(prefixes(t, tc.allow...), prefixes(t, tc.deny...), prefixes(t, "10.9.8.7/20"))
			require.NoError(t, err)
			for _, a := range tc.allowed {
				assert.NoError(t, p.Check(netip.MustParseAddr(a)), a)
			}
			for _, a := range tc.denied {
				assert.Error(t, p.Check(netip.MustParseAddr(a)), a)
			}
		})
	}
}

func TestUnusablePrefixes(t *testing.T) {
	t.Parallel()
	for _, bad := range []netip.Prefix{{}, netip.MustParsePrefix("::ffff:127.0.0.0/104")} {
		_, err := New([]netip.Prefix{bad}, nil)
		assert.Error(t, err)
		_, err = New(nil, []netip.Prefix{bad})
		assert.Error(t, err)
	}
	for _, bad := range []string{"", "10.0.0.0/33", "host", "fe80::1%eth0", "010.0.0.1"} {
		_, err := ParsePrefix(bad)
		assert.Error(t, err, bad)
	}
}

// TestBOwnAddresses: those of the machine that the test runs on, whatever an
// operator allows in general, and in every dress.
func TestBOwnAddresses(t *testing.T) {
	t.Parallel()
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	require.NotEmpty(t, addrs)
	p, err := New(prefixes(t, "0.0.0.0/0", "::/0"), nil)
	require.NoError(t, err)
	for _, a := range addrs {
		own := netip.MustParsePrefix(a.String()).Addr()
		dresses := []netip.Addr{own}
		if own.Is4() {
			b := own.As4()
			dresses = append(dresses, netip.AddrFrom16(own.As16()),
				netip.MustParseAddr(fmt.Sprintf("64:ff9b::%s", own)), netip.MustParseAddr(fmt.Sprintf("2002:%x:%x::1", uint16(b[0])<<8|uint16(b[1]), uint16(b[2])<<8|uint16(b[3]))))
		} else {
			dresses = append(dresses, own.WithZone("eth0"))
		}
		for _, dress := range dresses {
			assert.Error(t, p.Check(dress), dress)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1%x", "2002:7f00:1::", ""} {
		f.Add(s)
	}
	p, err := build(nil, nil, nil)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return
		}
		inner := addr.WithZone("").Unmap()
		if inner.IsLoopback() || inner.IsMulticast() || inner.IsUnspecified() || inner.IsLinkLocalUnicast() {
			require.Error(t, p.Check(addr))
		}
	})
}

func ExamplePolicy_Check() {
	p, _ := New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)
	fmt.Println(p.Check(netip.MustParseAddr("127.0.0.1")))
	fmt.Println(p.Check(netip.MustParseAddr("::ffff:169.254.169.254")))
	// Output:
	// <nil>
	// ::ffff:169.254.169.254 is the cloud's metadata service
}
