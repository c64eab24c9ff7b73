package hostsfile

import (
	"cmp"
	"errors"
	"net/netip"
	"strings"

	"tripod/installer"
)

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
		if what := installer.UserFault(s.user, installer.MaxUser); what != "" {
			return s, what
		}
	}
	host, port, hasPort, what := splitPort(rest)
	if what != "" {
		return s, what
	}
	s.host, s.port = host, parsePort(port)
	if hasPort && s.port == 0 {
		return s, "the port " + portRule
	}
	if inner, found := strings.CutPrefix(host, "["); found && strings.Contains(inner, ":") {
		s.host, s.literal = strings.TrimSuffix(inner, "]"), true
	}
	if s.host == "" {
		return s, "there is no host"
	}
	return s, ""
}

// endpoint is where s points to, without its address. user and port are what it has
// where the text has none.
func (s spec) endpoint(user string, port uint16) installer.Endpoint {
	return installer.Endpoint{User: cmp.Or(s.user, user), Port: cmp.Or(s.port, port)}
}

const colonRange = "ranges are written with '-', as in web[01-12]"

// splitPort takes ":port" off. IPv6 addresses keep their brackets.
func splitPort(text string) (host, port string, hasPort bool, what string) {
	close := strings.LastIndexByte(text, ']')
	colon := strings.IndexByte(text[close+1:], ':')
	if open := strings.IndexByte(text, '['); close >= 0 && open >= 0 {
		if inner := text[open+1 : max(close, open+1)]; strings.ContainsRune(inner, ':') {
			if _, err := netip.ParseAddr(inner); open > 0 || err != nil && strings.Trim(inner, "0123456789:") == "" && strings.Count(inner, ":") < 3 {
				return "", "", false, colonRange
			}
			if colon != 0 && len(text) > close+1 {
				return "", "", false, "there is more after the address in brackets"
			}
		}
	}
	if colon < 0 {
		return text, "", false, ""
	}
	colon += close + 1
	tail := text[colon+1:]
	if strings.ContainsRune(tail, ':') {
		if addr, err := netip.ParseAddr(text); err == nil && addr.Is6() {
			return "", "", false, "an IPv6 address stands in brackets: [2001:db8::1] or [2001:db8::1]:22"
		}
		return "", "", false, "there is more than one ':'"
	}
	return text[:colon], tail, true, ""
}

// ParseEndpoint reads [user@]host[:port], without ranges. user and port are
// what it has where the text has none. Errors do not quote the text.
func ParseEndpoint(text, user string, port uint16) (installer.Endpoint, error) {
	spec, what := splitSpec(text)
	if what != "" {
		return installer.Endpoint{}, errors.New(what)
	}
	if !spec.literal && strings.Contains(spec.host, "[") {
		return installer.Endpoint{}, errors.New("a range cannot stand here: name one host")
	}
	address, err := installer.ParseAddress(spec.host)
	if err != nil {
		return installer.Endpoint{}, err
	}
	e := spec.endpoint(user, port)
	e.Address = address
	return e, nil
}

// ParseVia reads the jump hosts of a route: endpoints with commas
// between them, first hop first, at most eight.
func ParseVia(text, user string, port uint16) ([]installer.Endpoint, error) {
	var via []installer.Endpoint
	for part := range strings.SplitSeq(text, ",") {
		hop, err := ParseEndpoint(strings.TrimSpace(part), user, port)
		if err != nil {
			return nil, err
		}
		if hopIndex(via, hop) >= 0 {
			return nil, errors.New("a jump host is on the route twice")
		}
		if via = append(via, hop); len(via) > installer.MaxHops {
			return nil, errors.New("more than eight jump hosts on the route")
		}
	}
	return via, nil
}
