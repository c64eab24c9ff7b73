package hostsfile

import (
	"cmp"
	"fmt"
	"strings"

	"tripod/installer"
)

func (c *collector) list(text []byte) {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if line = withoutComment(strings.TrimSpace(line)); line == "" {
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
		e := installer.HostEntry{Where: c.where(n), Host: installer.Host{Endpoint: s.endpoint(c.d.User, c.d.Port)}}
		c.expand(n, "", s, e, nil)
	}
}

// withoutComment takes a comment off: "#" at the start or after a space.
func withoutComment(line string) string {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return strings.TrimRight(line[:i], " \t")
		}
	}
	return line
}

func listLineFault(line string) string {
	switch {
	case isAnsible(line):
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

func (c *collector) expand(line int, column string, s spec, e installer.HostEntry, route []installer.Endpoint) {
	p := pattern{texts: []string{s.host}, total: 1}
	if !s.literal && strings.ContainsAny(s.host, "[]") {
		var what string
		if p, what = parsePattern(s.host); what != "" {
			c.fault(line, column, "%s", what)
			return
		}
	}
	agent := cmp.Or(e.Host.Agent, &installer.AgentConfig{})
	if p.total > 1 && (e.Host.ID != "" || e.Host.Name != "" || e.Host.HostKey != "" || agent.InstanceID != "") {
		c.fault(line, column, "a range makes several hosts: "+
			"they cannot share one name, instance_id, host_key or agent_instance_id")
		return
	}
	if !c.room(e.Where, p.total) {
		return
	}
	before := c.faultCount()
	for n := range p.total {
		var err error
		if e.Host.Address, err = installer.ParseAddress(p.host(n)); err != nil {
			if len(p.ranges) > 0 {
				err = fmt.Errorf("the range makes a bad host: %w", err)
			}
			c.fault(line, column, "%v", err)
		} else {
			c.add(e, route)
		}
		if c.faultCount() > before {
			return // the other ones would be wrong in the same way
		}
	}
}
