package hostsfile

import (
	"cmp"
	"slices"
	"strconv"

	"tripod/installer"
)

// maxFaults are reported one by one; of more only the number.
const maxFaults = 1000

type collector struct {
	name    string
	d       Defaults
	entries []installer.HostEntry
	taken   map[string]int32 // ids, and addresses with routes → index of the entry
	keys    keyFiles
	faults  installer.Faults
	untold  int
	tooMany bool
}

// newCollector has room for n hosts at once: growing step by step costs more than
// reading them.
func newCollector(name string, d Defaults, n int) *collector {
	d.Project = cmp.Or(d.Project, installer.DefaultProject)
	d.User = cmp.Or(d.User, "root")
	d.Port = cmp.Or(d.Port, installer.DefaultPort)
	d.ViaLogins = append(slices.Clip(d.ViaLogins), make([]installer.Login, max(0, len(d.Via)-len(d.ViaLogins)))...)
	return &collector{
		name: name, d: d, keys: newKeyFiles(name, d.ReadFile),
		entries: make([]installer.HostEntry, 0, n), taken: make(map[string]int32, 2*n),
	}
}

func (c *collector) err() error {
	if c.untold > 0 {
		return append(slices.Clip(c.faults), installer.Fault{Where: c.name, What: "and " + strconv.Itoa(c.untold) + " more faults"})
	}
	return c.faults.Err()
}

func (c *collector) fault(line int, column, format string, args ...any) {
	where := c.where(line)
	if column != "" {
		where += " " + column
	}
	c.faultAt(where, format, args...)
}

func (c *collector) fileFault(format string, args ...any) { c.faultAt(c.name, format, args...) }

func (c *collector) faultAt(where, format string, args ...any) {
	if len(c.faults) >= maxFaults {
		c.untold++
		return
	}
	c.faults.Add(where, format, args...)
}

func (c *collector) faultCount() int { return len(c.faults) + c.untold }

func (c *collector) where(line int) string { return c.name + ":" + strconv.Itoa(line) }

// room reports whether n more hosts fit, and says so once if not.
func (c *collector) room(where string, n int) bool {
	if len(c.entries)+n <= MaxHosts {
		return true
	}
	if !c.tooMany {
		c.faultAt(where, "makes more than %d hosts: split the file", MaxHosts)
	}
	c.tooMany = true
	return false
}

// add completes an entry and keeps it, unless its place or id is taken. route
// is its own, or nil for that of the defaults.
func (c *collector) add(e installer.HostEntry, route []installer.Endpoint) {
	if !c.room(e.Where, 1) {
		return
	}
	h := &e.Host
	if hopIndex(route, h.Endpoint) >= 0 {
		c.faultAt(e.Where+" via", "the host is its own jump host")
		return
	}
	if h.Via = route; route == nil {
		h.Via, e.Credentials.Via = c.defaultVia(h.Endpoint)
	}
	here := h.HostPort()
	for _, hop := range h.Via {
		here += "," + hop.HostPort()
	}
	if first, twice := c.taken[here]; twice {
		c.faultAt(e.Where, "%s is there already: %s", h.HostPort(), c.entries[first].Where)
		return
	}
	given := h.ID != ""
	if !given {
		h.ID = installer.InstanceID(c.d.Project, h.Address, h.Port)
	}
	if first, twice := c.taken[h.ID]; twice {
		if given {
			c.faultAt(e.Where, "the instance_id is there already: %s", c.entries[first].Where)
		} else {
			c.faultAt(e.Where, "%s is there already, through other jump hosts: %s; give each an instance_id to tell them apart", h.HostPort(), c.entries[first].Where)
		}
		return
	}
	h.Name = cmp.Or(h.Name, h.Address)
	h.Type = cmp.Or(h.Type, installer.ECS)
	if e.Credentials.Login.IsZero() {
		e.Credentials.Login = c.d.Login
	}
	e.Credentials.SudoPassword = cmp.Or(e.Credentials.SudoPassword, c.d.SudoPassword)
	index := int32(len(c.entries))
	c.taken[here], c.taken[h.ID] = index, index
	c.entries = append(c.entries, e)
}

// defaultVia is the route to a host by the defaults. A host that is itself one
// of the jump hosts is reached through those before it.
func (c *collector) defaultVia(target installer.Endpoint) ([]installer.Endpoint, []installer.Login) {
	n := hopIndex(c.d.Via, target)
	if n < 0 {
		n = len(c.d.Via)
	}
	if n == 0 {
		return nil, nil
	}
	return slices.Clip(c.d.Via[:n]), slices.Clip(c.d.ViaLogins[:n])
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

// hopIndex is the index of the hop at the same address and port; -1: there is none.
func hopIndex(hops []installer.Endpoint, e installer.Endpoint) int {
	return slices.IndexFunc(hops, func(hop installer.Endpoint) bool { return hop.Address == e.Address && hop.Port == e.Port })
}
