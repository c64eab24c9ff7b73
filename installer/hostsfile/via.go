package hostsfile

import (
	"errors"
	"slices"
	"strings"

	"tripod/installer"
)

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

// resolveVias finds the logins of jump hosts that the file names. A hop is only ever
// shown a login that was given for that very hop, by the defaults or its own line.
func (c *collector) resolveVias() {
	ownVia := func(e installer.HostEntry) bool { return len(e.Host.Via) > 0 && e.Credentials.Via == nil }
	if !slices.ContainsFunc(c.entries, ownVia) {
		return
	}
	own := make(map[installer.Endpoint]installer.Login)
	for i := range c.entries {
		own[loginAt(c.entries[i].Host.Endpoint)] = c.entries[i].Credentials.Login
	}
	for i, hop := range c.d.Via {
		own[loginAt(hop)] = c.d.ViaLogins[i]
	}
	for i := range c.entries {
		e := &c.entries[i]
		if !ownVia(*e) {
			continue
		}
		for _, hop := range e.Host.Via {
			login := own[loginAt(hop)]
			if login.IsZero() {
				c.faultAt(e.Where+" via", "no login is known for %s at the jump host %s: give it a line of its own, or name it by --via", hop.User, hop.HostPort())
			}
			e.Credentials.Via = append(e.Credentials.Via, login)
		}
	}
}

// loginAt is an endpoint without what does not matter for its login.
func loginAt(e installer.Endpoint) installer.Endpoint {
	e.HostKey = ""
	return e
}
