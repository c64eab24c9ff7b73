package hostsfile

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"tripod/installer"
)

// ipPassword reads IP,password lines. The line end (LF or CR LF) is not part
// of the password; everything else after the first comma is.
func (c *collector) ipPassword(text []byte) {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		ip, password, found := strings.Cut(line, ",")
		if !found {
			c.fault(n, "", "there is no comma: each line is IP,password")
			continue
		}
		addr, err := netip.ParseAddr(strings.TrimSpace(ip))
		if err != nil || addr.Zone() != "" {
			c.fault(n, "ip", "the part before the comma must be an IP address; host names and users can be given in CSV with a header")
			continue
		}
		if what := passwordFault(password); what != "" || password == "" {
			if what == "" {
				what = "the password is empty"
			}
			c.fault(n, "password", "%s", what)
			continue
		}
		e := installer.HostEntry{Where: c.where(n), HasSecret: true}
		e.Host.Endpoint = installer.Endpoint{Address: addr.Unmap().String(), Port: c.d.Port, User: "root"}
		e.Credentials.Password = installer.NewSecret(password)
		c.add(e, nil)
	}
}

// passwordFault says what is wrong with a password, or "".
func passwordFault(password string) string {
	switch {
	case utf8.RuneCountInString(password) > installer.MaxPassword:
		return "must have at most 3000 characters"
	case strings.ContainsAny(password, "\r\n"):
		return "holds a line break: is a quote missing?"
	}
	return ""
}
