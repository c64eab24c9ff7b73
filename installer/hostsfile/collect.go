package hostsfile

import (
	"slices"
	"strconv"
	"strings"

	"tripod/installer"
)

// maxFaults are told one by one; of more only the number.
const maxFaults = 1000

// collector gathers the entries and faults of one file.
type collector struct {
	name    string
	d       Defaults
	entries []installer.HostEntry
	places  map[place]int32  // → index of its entry
	ids     map[string]int32 // → index of its entry
	vias    []viaWish
	keys    keyFiles
	faults  installer.Faults
	untold  int
	tooMany bool
}

// place is what may be in a file only once.
type place struct {
	address string
	port    uint16
	via     string
}

func newCollector(name string, d Defaults) *collector {
	if d.Project == "" {
		d.Project = installer.DefaultProject
	}
	if d.User == "" {
		d.User = "root"
	}
	if d.Port == 0 {
		d.Port = installer.DefaultPort
	}
	logins := make([]installer.Login, len(d.Via))
	copy(logins, d.ViaLogins)
	d.ViaLogins = logins
	return &collector{
		name: name, d: d,
		places: make(map[place]int32), ids: make(map[string]int32),
		keys: newKeyFiles(name, d.ReadFile),
	}
}

func (c *collector) err() error {
	if c.untold > 0 {
		return append(slices.Clip(c.faults), installer.Fault{Where: c.name, What: "and " + strconv.Itoa(c.untold) + " more faults"})
	}
	return c.faults.Err()
}

// fault records what is wrong with a line, and with which column of it.
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

func (c *collector) where(line int) string { return c.name + ":" + strconv.Itoa(line) }

// expect makes room for n hosts at once: growing step by step costs more than
// reading them.
func (c *collector) expect(n int) {
	if n = min(n, MaxHosts); n <= len(c.entries) {
		return
	}
	c.entries = slices.Grow(c.entries, n-len(c.entries))
	if len(c.places) == 0 {
		c.places, c.ids = make(map[place]int32, n), make(map[string]int32, n)
	}
}

// room reports whether n more hosts fit, and says so once if not.
func (c *collector) room(where string, n int) bool {
	if len(c.entries)+n <= MaxHosts {
		return true
	}
	if !c.tooMany {
		c.tooMany = true
		c.faultAt(where, "makes more than %d hosts: split the file", MaxHosts)
	}
	return false
}

// add completes an entry and keeps it, unless its place or id is taken. wish
// is its own way there, or nil for that of the defaults.
func (c *collector) add(e installer.HostEntry, wish []installer.Endpoint) {
	if !c.room(e.Where, 1) {
		return
	}
	h := &e.Host
	if wish == nil {
		h.Via, e.Credentials.Via = c.defaultVia(h.Endpoint)
	} else {
		h.Via = wish
	}
	at := place{h.Address, h.Port, chain(h.Via)}
	if first, twice := c.places[at]; twice {
		c.faultAt(e.Where, "%s is there already: %s", h.HostPort(), c.entries[first].Where)
		return
	}
	given := h.ID != ""
	if !given {
		h.ID = installer.InstanceID(c.d.Project, h.Address, h.Port)
	}
	if first, twice := c.ids[h.ID]; twice {
		if given {
			c.faultAt(e.Where, "the instance_id is there already: %s", c.entries[first].Where)
		} else {
			c.faultAt(e.Where, "%s is there already, through other installers: %s; give each an instance_id to tell them apart", h.HostPort(), c.entries[first].Where)
		}
		return
	}
	if h.Name == "" {
		h.Name = h.Address
	}
	if h.Type == "" {
		h.Type = installer.ECS
	}
	if e.Credentials.Login.IsZero() {
		e.Credentials.Login = c.d.Login
	}
	if e.Credentials.SudoPassword.IsZero() {
		e.Credentials.SudoPassword = c.d.SudoPassword
	}
	index := int32(len(c.entries))
	c.places[at], c.ids[h.ID] = index, index
	c.entries = append(c.entries, e)
}

// defaultVia is the way to a host by the defaults. A host that is itself one
// of the installers is reached through those before it.
func (c *collector) defaultVia(target installer.Endpoint) ([]installer.Endpoint, []installer.Login) {
	if len(c.d.Via) == 0 {
		return nil, nil
	}
	n := slices.IndexFunc(c.d.Via, func(hop installer.Endpoint) bool { return samePlace(hop, target) })
	if n < 0 {
		n = len(c.d.Via)
	}
	return slices.Clip(c.d.Via[:n]), slices.Clip(c.d.ViaLogins[:n])
}

func samePlace(a, b installer.Endpoint) bool { return a.Address == b.Address && a.Port == b.Port }

// chain names a way through installers.
func chain(via []installer.Endpoint) string {
	switch len(via) {
	case 0:
		return ""
	case 1:
		return via[0].HostPort()
	}
	var b strings.Builder
	for _, hop := range via {
		b.WriteString(hop.HostPort())
		b.WriteByte(',')
	}
	return b.String()
}
