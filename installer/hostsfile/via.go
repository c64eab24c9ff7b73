package hostsfile

import (
	"errors"
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
	e := installer.Endpoint{Address: address, Port: port, User: user}
	if spec.port != 0 {
		e.Port = spec.port
	}
	if spec.user != "" {
		e.User = spec.user
	}
	return e, nil
}

// ParseVia reads the installers on the way to a host: endpoints with commas
// between them, first hop first, at most eight.
func ParseVia(text, user string, port uint16) ([]installer.Endpoint, error) {
	var via []installer.Endpoint
	for part := range strings.SplitSeq(text, ",") {
		hop, err := ParseEndpoint(strings.TrimSpace(part), user, port)
		if err != nil {
			return nil, err
		}
		for _, before := range via {
			if samePlace(before, hop) {
				return nil, errors.New("an installer is on the way twice")
			}
		}
		if via = append(via, hop); len(via) > installer.MaxHops {
			return nil, errors.New("more than eight installers on the way")
		}
	}
	return via, nil
}

// viaWish is an entry with a way of its own, whose logins are looked for when
// the whole file has been read.
type viaWish struct {
	entry int
	line  int
}

// resolveVias finds the logins of installers that the file names. A hop's login
// is only ever one that was given for that very hop, by the defaults or by its
// own line in the file: what is meant for the targets is not shown to it.
func (c *collector) resolveVias() {
	if len(c.vias) == 0 {
		return
	}
	own := make(map[installer.Endpoint]installer.Login)
	for i := range c.entries {
		e := &c.entries[i]
		own[loginAt(e.Host.Endpoint)] = e.Credentials.Login
	}
	for i, hop := range c.d.Via {
		own[loginAt(hop)] = c.d.ViaLogins[i]
	}
	for _, wish := range c.vias {
		e := &c.entries[wish.entry]
		e.Credentials.Via = make([]installer.Login, len(e.Host.Via))
		for i, hop := range e.Host.Via {
			login := own[loginAt(hop)]
			if login.IsZero() {
				c.fault(wish.line, "via", "no login is known for %s at the installer %s: give it a line of its own, or name it by --via", hop.User, hop.HostPort())
			}
			e.Credentials.Via[i] = login
		}
	}
}

// loginAt is an endpoint without what does not matter for its login.
func loginAt(e installer.Endpoint) installer.Endpoint {
	e.HostKey = ""
	return e
}
