// Package policy decides which addresses the daemon may connect to: whoever may create
// tasks names addresses, and the daemon sits where those users may not be. The API asks
// it when a task is created, the SSH dialer about the address that is really dialled.
package policy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// Policy is a list of prefixes. The most specific one that holds an address decides; of
// two equally specific ones the operator's deny goes before the operator's allow, and
// that before what is built in. What no prefix holds is allowed.
type Policy struct{ rules []rule }

type rule struct {
	prefix netip.Prefix
	deny   bool
	what   string
}

// builtin is denied unless an equally specific prefix is allowed.
var builtin = []rule{
	{netip.MustParsePrefix("0.0.0.0/8"), true, "an unspecified address"},
	{netip.MustParsePrefix("127.0.0.0/8"), true, "a loopback address"},
	{netip.MustParsePrefix("169.254.0.0/16"), true, "a link-local address"},
	{netip.MustParsePrefix("169.254.169.254/32"), true, "the cloud's metadata service"},
	{netip.MustParsePrefix("100.100.100.200/32"), true, "a cloud's metadata service"},
	{netip.MustParsePrefix("224.0.0.0/4"), true, "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), true, "a reserved address"},
	{netip.MustParsePrefix("255.255.255.255/32"), true, "the broadcast address"},
	{netip.MustParsePrefix("::/96"), true, "an IPv4-compatible address"},
	{netip.MustParsePrefix("::/128"), true, "an unspecified address"},
	{netip.MustParsePrefix("::1/128"), true, "a loopback address"},
	{netip.MustParsePrefix("fe80::/10"), true, "a link-local address"},
	{netip.MustParsePrefix("fd00:ec2::254/128"), true, "a cloud's metadata service"},
	{netip.MustParsePrefix("ff00::/8"), true, "a multicast address"},
}

// New makes a policy of the operator's lists. This machine's addresses and its networks'
// broadcast addresses, as they are now, join what is built in.
func New(allow, deny []netip.Prefix) (*Policy, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("target policy: read this machine's addresses: %w", err)
	}
	own := make([]netip.Prefix, 0, len(addrs))
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, p)
		}
	}
	return build(allow, deny, own)
}

func build(allow, deny, own []netip.Prefix) (*Policy, error) {
	// The first of equally specific rules decides, so order is precedence.
	p := &Policy{}
	for i, prefix := range slices.Concat(deny, allow) {
		if !prefix.IsValid() || prefix.Addr().Is4In6() {
			return nil, fmt.Errorf("target policy: %s is no usable prefix: write it like 10.0.0.0/8 or fd00::/8", prefix)
		}
		p.rules = append(p.rules, rule{prefix.Masked(), i < len(deny), "denied by the operator (" + prefix.String() + ")"})
	}
	p.rules = append(p.rules, builtin...)
	for _, prefix := range own {
		p.rules = append(p.rules, ownRules(prefix)...)
	}
	return p, nil
}

// ownRules denies an interface's address and its network's broadcast address.
// Loopback has a rule of its own, which `allow 127.0.0.0/8` must lift whole.
func ownRules(p netip.Prefix) []rule {
	addr := p.Addr().Unmap().WithZone("")
	if addr.IsLoopback() {
		return nil
	}
	rules := []rule{{netip.PrefixFrom(addr, addr.BitLen()), true, "this machine's own address"}}
	if addr.Is4() && p.Bits() < 31 {
		last := addr.As4()
		for bit := p.Bits(); bit < 32; bit++ {
			last[bit/8] |= 0x80 >> (bit % 8)
		}
		rules = append(rules, rule{netip.PrefixFrom(netip.AddrFrom4(last), 32), true, "a network's broadcast address"})
	}
	return rules
}

// Check tells why an address may not be dialled. IPv4 addresses inside IPv6 ones (mapped,
// NAT64, 6to4) are looked at too, and a zone changes nothing.
func (p *Policy) Check(addr netip.Addr) error {
	if !addr.IsValid() {
		return errors.New("this is not an address")
	}
	for _, a := range unwrap(addr) {
		if r, ok := p.decides(a); ok && r.deny {
			return fmt.Errorf("%s is %s", addr, r.what)
		}
	}
	return nil
}

func (p *Policy) decides(addr netip.Addr) (rule, bool) {
	best, found := rule{}, false
	for _, r := range p.rules {
		if r.prefix.Contains(addr) && (!found || r.prefix.Bits() > best.prefix.Bits()) {
			best, found = r, true
		}
	}
	return best, found
}

// ParsePrefix reads a prefix, or an address as the prefix of it alone.
func ParsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a prefix such as 10.0.0.0/8", s)
	}
	return p, nil
}

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
