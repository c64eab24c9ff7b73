package hostsfile

import (
	"net/netip"
	"strings"

	"tripod/installer/meta"
)

// maxUser is how long a user name may be; the API has less, but directory
// services hand out long ones.
const maxUser = 64

// spec is [user@]host[:port] taken apart. host may still have ranges.
type spec struct {
	user    string
	host    string
	port    uint16 // 0: none
	literal bool   // host was an IPv6 address in brackets
}

// splitSpec returns what is wrong with the text, or "". It never quotes it:
// people write passwords in the strangest places.
func splitSpec(text string) (spec, string) {
	var s spec
	rest := text
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		s.user, rest = text[:at], text[at+1:]
		if strings.ContainsRune(s.user, ':') {
			return s, "there is a ':' in the user name: passwords do not belong here, use CSV or IP,password lines"
		}
		if what := meta.UserFault(s.user, maxUser); what != "" {
			return s, what
		}
	}
	host, port, what := splitPort(rest)
	if what != "" {
		return s, what
	}
	if port != nil {
		var ok bool
		if s.port, ok = meta.ParsePort(*port); !ok {
			return s, "the port " + meta.PortRule
		}
	}
	s.host = host
	if inner, found := strings.CutPrefix(host, "["); found && strings.Contains(inner, ":") {
		s.host, s.literal = strings.TrimSuffix(inner, "]"), true
	}
	if s.host == "" {
		return s, "there is no host"
	}
	return s, ""
}

const colonRange = "ranges are written with '-', as in web[01-12]"

// splitPort takes ":port" off. IPv6 addresses keep their brackets.
func splitPort(text string) (host string, port *string, what string) {
	close := strings.LastIndexByte(text, ']')
	colon := strings.IndexByte(text[close+1:], ':')
	if open := strings.IndexByte(text, '['); close >= 0 && open >= 0 {
		if inner := text[open+1 : max(close, open+1)]; strings.ContainsRune(inner, ':') {
			if _, err := netip.ParseAddr(inner); open > 0 || err != nil && strings.Trim(inner, "0123456789:") == "" && strings.Count(inner, ":") < 3 {
				return "", nil, colonRange
			}
			if colon != 0 && len(text) > close+1 {
				return "", nil, "there is more after the address in brackets"
			}
		}
	}
	if colon < 0 {
		return text, nil, ""
	}
	colon += close + 1
	tail := text[colon+1:]
	if strings.ContainsRune(tail, ':') {
		if addr, err := netip.ParseAddr(text); err == nil && addr.Is6() {
			return "", nil, "an IPv6 address stands in brackets: [2001:db8::1] or [2001:db8::1]:22"
		}
		return "", nil, "there is more than one ':'"
	}
	return text[:colon], &tail, ""
}

// checkHost returns an address or host name in its one usual form, or what is
// wrong with it.
func checkHost(host string) (string, string) {
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil && strings.ContainsRune(host, ':'):
		return "", "this is not a valid IPv6 address"
	case err != nil:
		return checkName(host)
	case addr.Zone() != "":
		return "", "an IPv6 address with a zone (%…) means another host on every machine: leave the zone out"
	case addr.Is4():
		return host, ""
	}
	return addr.Unmap().String(), ""
}

// checkName checks a host name by RFC 1123 and returns it in lower case.
func checkName(name string) (string, string) {
	name = strings.TrimSuffix(name, ".")
	if len(name) < 1 || len(name) > 253 {
		return "", "a host name has 1 to 253 characters"
	}
	last := name
	for label := range strings.SplitSeq(name, ".") {
		if what := checkLabel(label); what != "" {
			return "", what
		}
		last = label
	}
	// What ends in a number is an IPv4 address to most resolvers, and not
	// always the same one.
	if strings.Trim(last, "0123456789") == "" || len(last) > 1 && (last[:2] == "0x" || last[:2] == "0X") {
		return "", "this is neither a host name nor a valid IPv4 address: four numbers of 0 to 255 without leading zeros"
	}
	return strings.ToLower(name), ""
}

func checkLabel(label string) string {
	if len(label) < 1 || len(label) > 63 {
		return "each part of a host name has 1 to 63 characters"
	}
	for i := range len(label) {
		switch c := label[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9':
		case c == '-' && i > 0 && i < len(label)-1:
		case c == '-':
			return "a part of a host name begins or ends with '-'"
		case c >= 0x80:
			return "a host name has ASCII characters only: write international ones in their xn-- form"
		default:
			return "a host name has letters, digits, '-' and '.' only"
		}
	}
	return ""
}
