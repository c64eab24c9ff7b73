package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tripod/installer"
	"tripod/store/kv"
)

// RegisterHosts adds hosts to the inventory, or replaces them, in one transaction. A derived id gives way to
// the one that its address is known by; a given one takes the place of a host that joined by itself.
// An id that comes with another address, port or jump hosts names another machine from then on; one
// that is a jump host, or has open work, stays where it is: installer.Faults.
func (s *Inventory) RegisterHosts(ctx context.Context, project string, entries []installer.HostEntry) error {
	err := kv.CheckProject(project)
	var creds []installer.Credentials
	for _, e := range entries {
		err = errors.Join(err, kv.CheckPart("instance id", e.Host.ID, 64))
		for _, part := range apart(project, e.Host.ID, e.Credentials) {
			creds = append(creds, part.creds)
		}
	}
	if err != nil {
		return err
	}
	l, err := s.newSealer(creds...)
	if err != nil {
		return err
	}
	return s.finish(l, s.Update(ctx, func(t *Tx) error {
		l.used = 0
		imports, err := t.planImports(project, entries)
		if err != nil {
			return err
		}
		hosts := make([]installer.Host, len(imports))
		for i, p := range imports {
			hosts[i] = p.host
			s.register(t, project, p)
			for _, part := range apart(project, p.host.ID, p.Credentials) {
				if sealed := l.seal(project, p.host.ID, part.at, part.creds); sealed != nil {
					t.putLogin(part.at, sealed)
				}
			}
		}
		return s.audit(ctx, t, installer.AuditEntry{Project: project, Action: installer.AuditHostAdd}, hosts...)
	}))
}

// part of what a host is imported with is sealed by itself: it stays where only others are given again.
type part struct {
	at    []byte
	creds installer.Credentials
}

// apart returns the login first.
func apart(project, host string, c installer.Credentials) []part {
	keys, vars := installer.Credentials{Agent: c.Agent}, installer.Credentials{Vars: c.Vars}
	c.Agent, c.Vars = installer.AgentKeys{}, nil
	return []part{{importedLogin(project, host), c}, {importedKeys(project, host), keys}, {importedVars(project, host), vars}}
}

type hostImport struct {
	installer.HostEntry
	host installer.Host // with the id that it is to be known by
	old  *knownHost     // what is known under that id, or nil
	// joined is a host that joined by itself at this address, and gives way; or nil.
	joined *knownHost
}

// moves: the id is to name another machine than it does. Nothing of the old one
// counts for the new one, so the old one gives way.
func (p *hostImport) moves() bool { return p.old != nil && !p.old.Host.SameMachine(p.host) }

func (s *Inventory) register(t *Tx, project string, p hostImport) {
	k := knownHost{Host: p.host, Imported: true, Since: s.Clock()}
	if p.joined != nil {
		k.lastSeen = p.joined.lastSeen
		t.dropHost(project, p.joined.Host)
	}
	if p.moves() {
		t.dropTaskLogins(project, p.host.ID)
	} else if p.old != nil {
		k.lastSeen = p.old.lastSeen
	}
	sameRoute := p.old != nil && p.old.Host.SameRoute(p.host)
	parts := apart(project, p.host.ID, p.Credentials)
	for _, part := range parts {
		if !sameRoute || !isNone(part.creds) {
			t.dropLogin(part.at)
		}
	}
	if sameRoute && isNone(parts[0].creds) {
		k.Accepted, k.Given = p.old.Accepted, p.old.Given
	}
	t.putHost(project, p.old, &k)
}

func (t *Tx) planImports(project string, entries []installer.HostEntry) ([]hostImport, error) {
	imports := make([]hostImport, len(entries))
	var faults installer.Faults
	named := func(id string) bool {
		return slices.ContainsFunc(entries, func(e installer.HostEntry) bool { return e.Host.ID == id })
	}
	first := map[string]string{} // where an id, or a place, is named first
	for i, e := range entries {
		p := &imports[i]
		p.HostEntry, p.host = e, e.Host
		if e.Where == "" {
			e.Where = e.Host.HostPort()
		}
		if what := t.planImport(project, p, named); what != "" {
			faults.Add(e.Where, "%s", what)
		}
		id, at := "id "+p.host.ID, "at "+p.host.HostPort()+route(p.host)
		switch {
		case first[id] != "":
			faults.Add(e.Where, "is known by the id %s, which is there already: %s", p.host.ID, first[id])
		case first[at] != "":
			faults.Add(e.Where, "%s is there already: %s", p.host.HostPort(), first[at])
		default:
			first[id], first[at] = e.Where, e.Where
		}
	}
	return imports, faults.Err()
}

func route(h installer.Host) string {
	var b strings.Builder
	for _, hop := range h.Via {
		b.WriteString(" " + hop.HostPort())
	}
	return b.String()
}

func (t *Tx) planImport(project string, p *hostImport, named func(id string) bool) string {
	if there := t.hostAt(project, p.host); there != nil && there.Host.ID != p.host.ID {
		id := there.Host.ID
		switch derived := p.host.ID == installer.InstanceID(project, p.host.Address, p.host.Port); {
		case derived:
			p.host.ID = id
		case !there.Imported:
			if what := t.inTheWay(project, id); what != "" {
				return what
			}
			p.joined = there
		case there.Host.SameMachine(p.host) && !named(id): // one that is named goes elsewhere
			return fmt.Sprintf("%s is known as %s: remove that first, or leave the instance_id out", p.host.HostPort(), id)
		}
	}
	if p.old = t.findHost(project, p.host.ID); p.moves() {
		if what := t.inTheWay(project, p.host.ID); what != "" {
			return p.old.Host.HostPort() + " " + what
		}
	}
	return ""
}

func (t *Tx) inTheWay(project, id string) string {
	if t.jumpHost(project, id) != nil {
		return "is known as the jump host " + id + ": remove that first"
	}
	if n := len(t.OpenOn(project, id)); n > 0 {
		return fmt.Sprintf("is known as %s, and %d tasks for it have not ended: wait for them, or cancel them", id, n)
	}
	return ""
}

func (t *Tx) dropTaskLogins(project, id string) {
	for r := range t.InvocationsOn(project, id) {
		t.dropLogin(taskLogin(r.BatchID, r.ID))
	}
}

// RemoveHosts forgets known hosts and erases their credentials, a jump host's too; all
// of them or none. The error joins one for each that cannot be removed: ErrNotFound, or
// ErrInUse while work for it has not ended. Lists and host keys stay.
func (s *Inventory) RemoveHosts(ctx context.Context, project string, ids []string) error {
	find := func(t *Tx, id string) (host installer.Host, err error) {
		k, err := t.knownHost(project, id)
		if err != nil {
			return host, err
		}
		if n := len(t.OpenOn(project, id)); n > 0 {
			return host, fmt.Errorf("host %s: %w: %d tasks for it have not ended", id, installer.ErrInUse, n)
		}
		return k.Host, nil
	}
	return s.dropAll(ctx, project, ids, installer.AuditHostRemove, find, func(t *Tx, h installer.Host) {
		t.dropJumpHost(project, h.ID)
		t.dropHost(project, h)
	})
}

// dropAll drops the hosts that find finds, or none if one is not found.
func (s *Inventory) dropAll(ctx context.Context, project string, ids []string, action installer.Action,
	find func(*Tx, string) (installer.Host, error), drop func(*Tx, installer.Host)) error {
	return s.Update(ctx, func(t *Tx) error {
		var hosts []installer.Host
		var errs []error
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			h, err := find(t, id)
			hosts, errs = append(hosts, h), append(errs, err)
		}
		if err := errors.Join(errs...); err != nil || len(hosts) == 0 {
			return err
		}
		for _, h := range hosts {
			drop(t, h)
		}
		return s.audit(ctx, t, installer.AuditEntry{Project: project, Action: action}, hosts...)
	})
}
