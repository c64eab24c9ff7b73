package hostsfile

import (
	"strings"

	"tripod/installer"
)

// list reads one host a line.
func (c *collector) list(text []byte) {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line, _, _ = cutComment(strings.TrimSpace(line))
		if line == "" {
			continue
		}
		if what := listLineFault(line); what != "" {
			c.fault(n, "", "%s", what)
			continue
		}
		s, what := splitSpec(line)
		if what != "" {
			c.fault(n, "", "%s", what)
			continue
		}
		e := installer.HostEntry{Where: c.where(n), Host: installer.Host{Endpoint: c.endpoint(s)}}
		c.expand(n, "", s, e, nil)
	}
}

// cutComment takes a comment off: "#" at the start or after a space.
func cutComment(line string) (before, comment string, found bool) {
	for i := strings.IndexByte(line, '#'); i >= 0; {
		if i == 0 || line[i-1] == ' ' || line[i-1] == '\t' {
			return strings.TrimRight(line[:i], " \t"), line[i:], true
		}
		next := strings.IndexByte(line[i+1:], '#')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return line, "", false
}

// listLineFault tells the usual mistakes apart.
func listLineFault(line string) string {
	switch {
	case isSection(line), strings.Contains(line, " ansible_"):
		return ansibleFault
	case strings.ContainsAny(line, " \t"):
		return "there is more after the host: a list has one host a line; for passwords, keys and names use CSV with a header"
	case strings.ContainsRune(line, ';'):
		return "there is a semicolon: a list has one host a line; for passwords, keys and names use CSV with a header and commas"
	case commaOutside(line):
		return "there is a comma: a list has one host a line; name the format if the file has IP,password lines (ip-password) or is CSV with a header (csv)"
	}
	return ""
}

// endpoint is where s points to, without its address.
func (c *collector) endpoint(s spec) installer.Endpoint {
	e := installer.Endpoint{Port: c.d.Port, User: c.d.User}
	if s.port != 0 {
		e.Port = s.port
	}
	if s.user != "" {
		e.User = s.user
	}
	return e
}

// expand adds e once for each host that s makes.
func (c *collector) expand(line int, column string, s spec, e installer.HostEntry, wish []installer.Endpoint) {
	if s.literal || !strings.ContainsAny(s.host, "[]") {
		address, err := installer.ParseAddress(s.host)
		if err != nil {
			c.fault(line, column, "%v", err)
			return
		}
		e.Host.Address = address
		c.addFrom(line, e, wish)
		return
	}
	p, what := parsePattern(s.host)
	if what != "" {
		c.fault(line, column, "%s", what)
		return
	}
	if p.total > 1 && (e.Host.ID != "" || e.Host.Name != "" || e.Host.HostKey != "") {
		c.fault(line, column, "a range makes several hosts: they cannot share one name, instance_id or host_key")
		return
	}
	if !c.room(e.Where, p.total) {
		return
	}
	c.expect(len(c.entries) + p.total)
	before := len(c.faults)
	for host := range p.all {
		var err error
		if e.Host.Address, err = installer.ParseAddress(host); err != nil {
			c.fault(line, column, "the range makes a bad host: %v", err)
			return
		}
		if c.addFrom(line, e, wish); len(c.faults) > before {
			return // the other ones would be wrong in the same way
		}
	}
}

// addFrom is add for an entry that may have a way of its own.
func (c *collector) addFrom(line int, e installer.HostEntry, wish []installer.Endpoint) {
	n := len(c.entries)
	for _, hop := range wish {
		if samePlace(hop, e.Host.Endpoint) {
			c.fault(line, "via", "the host is its own installer")
			return
		}
	}
	if c.add(e, wish); len(wish) > 0 && len(c.entries) > n {
		c.vias = append(c.vias, viaWish{entry: n, line: line})
	}
}
