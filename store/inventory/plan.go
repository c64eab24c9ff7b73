package inventory

import (
	"fmt"
	"strings"

	"tripod/installer"
)

// hostPlan is what becomes of one entry.
type hostPlan struct {
	installer.HostEntry
	host  installer.Host // with the id that it is to be known by
	old   *knownHost     // what is known under that id, or nil
	gives *knownHost     // joined by itself at this address, and gives way; or nil
	keeps bool           // the credentials that there are stay
}

// planHosts decides about all entries, or tells all that is in the way.
func (t *Tx) planHosts(project string, entries []installer.HostEntry) ([]hostPlan, error) {
	plans := make([]hostPlan, len(entries))
	var faults installer.Faults
	named := make(map[string]bool, len(entries))
	for _, e := range entries {
		named[e.Host.ID] = true
	}
	ids, places := make(map[string]int, len(entries)), make(map[string]int, len(entries))
	for i, e := range entries {
		p := &plans[i]
		p.HostEntry, p.host = e, e.Host
		what, err := t.planHost(project, p, named)
		if err != nil {
			return nil, err
		}
		if what != "" {
			faults.Add(where(e), "%s", what)
		}
		at := p.host.HostPort() + route(p.host)
		if first, twice := ids[p.host.ID]; twice {
			faults.Add(where(e), "is known by the id %s, which is there already: %s", p.host.ID, where(entries[first]))
		} else if first, twice := places[at]; twice {
			faults.Add(where(e), "%s is there already: %s", p.host.HostPort(), where(entries[first]))
		} else {
			ids[p.host.ID], places[at] = i, i
		}
	}
	return plans, faults.Err()
}

// planHost finds out by which id the host is to be known and what it meets, and
// says what is in its way.
func (t *Tx) planHost(project string, p *hostPlan, named map[string]bool) (what string, err error) {
	there, err := t.hostAt(project, p.host)
	if err != nil {
		return "", err
	}
	if there != nil && there.Host.ID != p.host.ID {
		id := there.Host.ID
		switch derived := p.host.ID == installer.InstanceID(project, p.host.Address, p.host.Port); {
		case derived:
			p.host.ID = id
		case !there.Imported:
			if what, err = t.inTheWay(project, id); what != "" || err != nil {
				return what, err
			}
			p.gives = there
		case there.Host.SameMachine(p.host) && !named[id]: // one that is named goes elsewhere
			return fmt.Sprintf("%s is known as %s: remove that first, or leave the instance_id out", p.host.HostPort(), id), nil
		}
	}
	if p.old, err = t.KnownHost(project, p.host.ID); err != nil {
		return "", err
	}
	if p.moves() {
		what, err = t.inTheWay(project, p.host.ID)
		if what != "" || err != nil {
			return p.old.Host.HostPort() + " " + what, err
		}
	}
	p.keeps = isNone(p.Credentials) && p.old != nil && p.old.Host.SameRoute(p.host)
	return "", nil
}

// moves: the id is to name another machine than it does. Nothing of the old one
// Counts for the new one, so the old one gives way.
func (p *hostPlan) moves() bool { return p.old != nil && !p.old.Host.SameMachine(p.host) }

// inTheWay says why what is known by this id cannot give way, or "".
func (t *Tx) inTheWay(project, id string) (string, error) {
	if setUp, err := t.setUpHost(project, id); err != nil || setUp != nil {
		return "is known as the installer " + id + ": remove that first", err
	}
	n, err := t.OpenWork(project, id)
	if err != nil || n == 0 {
		return "", err
	}
	return fmt.Sprintf("is known as %s, and %d tasks for it have not ended: wait for them, or cancel them", id, n), nil
}

func where(e installer.HostEntry) string {
	if e.Where != "" {
		return e.Where
	}
	return e.Host.HostPort()
}

func route(h installer.Host) string {
	var b strings.Builder
	for _, hop := range h.Via {
		b.WriteString(" " + hop.HostPort())
	}
	return b.String()
}
