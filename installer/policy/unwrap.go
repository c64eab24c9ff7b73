package policy

import "net/netip"

var (
	nat64 = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052
	local = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215, NAT64 within a site
	sixTo = netip.MustParsePrefix("2002::/16")      // RFC 3056, 6to4
)

// unwrap returns the address without zone and mapping, and the IPv4 address
// that a translator on the way would make of it.
func unwrap(addr netip.Addr) []netip.Addr {
	addr = addr.WithZone("").Unmap()
	if addr.Is4() {
		return []netip.Addr{addr}
	}
	b := addr.As16()
	switch {
	case nat64.Contains(addr), local.Contains(addr):
		return []netip.Addr{addr, netip.AddrFrom4([4]byte(b[12:16]))}
	case sixTo.Contains(addr):
		return []netip.Addr{addr, netip.AddrFrom4([4]byte(b[2:6]))}
	}
	return []netip.Addr{addr}
}
