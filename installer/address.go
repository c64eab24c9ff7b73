package installer

import (
	"errors"
	"net/netip"
	"strings"
	"unicode/utf8"

	"tripod/installer/lazyregexp"
)

var nameForm = lazyregexp.New(`^[A-Za-z0-9-]*$`)

// ParseAddress returns an IP address or a host name in its one usual form. Errors do
// not quote the text: people write passwords in the strangest places.
func ParseAddress(text string) (string, error) {
	addr, err := netip.ParseAddr(text)
	switch {
	case err != nil && strings.ContainsRune(text, ':'):
		return "", errors.New("this is not a valid IPv6 address")
	case err != nil:
		return parseName(text)
	case addr.Zone() != "":
		return "", errors.New("an IPv6 address with a zone (%…) means another host on every machine: leave the zone out")
	}
	return addr.Unmap().String(), nil
}

// ParseIP returns an address without a zone in its one usual form.
func ParseIP(text string) (string, bool) {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return "", false
	}
	return addr.Unmap().String(), true
}

// parseName checks a host name by RFC 1123 and returns it in lower case.
func parseName(name string) (string, error) {
	name = strings.TrimSuffix(name, ".")
	if len(name) < 1 || len(name) > 253 {
		return "", errors.New("a host name has 1 to 253 characters")
	}
	last := name
	for label := range strings.SplitSeq(name, ".") {
		if what := nameLabelFault(label); what != "" {
			return "", errors.New(what)
		}
		last = label
	}
	// What ends in a number is an IPv4 address to most resolvers, and not
	// always the same one.
	if strings.Trim(last, "0123456789") == "" || len(last) > 1 && (last[:2] == "0x" || last[:2] == "0X") {
		return "", errors.New("this is neither a host name nor a valid IPv4 address: four numbers of 0 to 255 without leading zeros")
	}
	return strings.ToLower(name), nil
}

func nameLabelFault(label string) string {
	if len(label) < 1 || len(label) > 63 {
		return "each part of a host name has 1 to 63 characters"
	}
	switch {
	case strings.ContainsFunc(label, func(r rune) bool { return r >= utf8.RuneSelf }):
		return "a host name has ASCII characters only: write international ones in their xn-- form"
	case !nameForm.MatchString(label):
		return "a host name has letters, digits, '-' and '.' only"
	case label[0] == '-' || label[len(label)-1] == '-':
		return "a part of a host name begins or ends with '-'"
	}
	return ""
}
