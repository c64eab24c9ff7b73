package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tripod/installer"
)

// errMoved: what was looked at before the transaction is no longer so.
var errMoved = errors.New("the known hosts are changed by others all the time: try again")

// RegisterHosts makes hosts known, or known anew, in one transaction. An id
// that was derived gives way to the one that its address is known by; a given
// one takes the place of a host that joined by itself. Credentials are kept
// until the host is removed or registered with others.
//
// The error is an installer.Faults where hosts are in each other's way.
func (s *Store) RegisterHosts(ctx context.Context, project string, entries []installer.HostEntry) error {
	if err := checkProject(project); err != nil {
		return err
	}
	for _, e := range entries {
		if err := checkPart("instance id", e.Host.ID, 64); err != nil {
			return err
		}
	}
	if s.o.ReadOnly {
		return errReadOnly
	}
	s.roster.Lock()
	defer s.roster.Unlock()
	const tries = 5
	err := errMoved
	for n := 0; n < tries && errors.Is(err, errMoved); n++ {
		err = s.registerHosts(ctx, project, entries)
	}
	return err
}

func (s *Store) registerHosts(ctx context.Context, project string, entries []installer.HostEntry) error {
	var plans []hostPlan
	err := s.view(ctx, func(t *tx) (err error) {
		plans, err = t.planHosts(project, entries)
		return err
	})
	if err != nil {
		return err
	}
	var lose []*knownHost
	for _, p := range plans {
		if p.old != nil && p.old.Kept != "" && !p.keeps {
			lose = append(lose, p.old)
		}
	}
	boxes, err := s.rekey(ctx, project, lose)
	if err == nil {
		err = s.sealHosts(project, plans, &boxes)
	}
	if err == nil {
		err = s.update(ctx, func(t *tx) error {
			now, err := t.planHosts(project, entries)
			if err != nil {
				return err
			}
			for i := range now {
				if now[i].host.ID != plans[i].host.ID || now[i].keeps != plans[i].keeps {
					return errMoved
				}
			}
			if err := t.putBoxes(project, boxes); err != nil {
				return err
			}
			for i, p := range now {
				if err := t.register(project, p, plans[i].kept); err != nil {
					return err
				}
			}
			hosts := make([]installer.Host, len(now))
			for i := range now {
				hosts[i] = now[i].host
			}
			return s.auditManaged(ctx, t, project, installer.AuditHostAdd, hosts)
		})
	}
	s.settleBoxes(boxes, err)
	return err
}

// hostPlan is what becomes of one entry.
type hostPlan struct {
	installer.HostEntry
	host  installer.Host // with the id that it is to be known by
	old   *knownHost     // what is known under that id, or nil
	gives *knownHost     // joined by itself at this address, and gives way; or nil
	keeps bool           // the credentials that there are stay
	kept  string         // epoch of its new ones; empty: none
}

// planHosts decides about all entries, or tells all that is in the way.
func (t *tx) planHosts(project string, entries []installer.HostEntry) ([]hostPlan, error) {
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
		at := p.host.HostPort() + way(p.host)
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
func (t *tx) planHost(project string, p *hostPlan, named map[string]bool) (what string, err error) {
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
		case sameHops(there.Host.Via, p.host.Via) && !named[id]: // one that is named goes elsewhere
			return fmt.Sprintf("%s is known as %s: remove that first, or leave the instance_id out", p.host.HostPort(), id), nil
		}
	}
	if p.old, err = t.knownHost(project, p.host.ID); err != nil {
		return "", err
	}
	p.keeps = isNone(p.Credentials) && p.old != nil && sameWay(p.old.Host, p.host)
	return "", nil
}

// inTheWay says why a host that joined by itself cannot give way, or "".
func (t *tx) inTheWay(project, id string) (string, error) {
	if setUp, err := t.setUpHost(project, id); err != nil || setUp != nil {
		return "is known as the installer " + id + ": remove that first", err
	}
	n, err := t.openWork(project, id)
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

func way(h installer.Host) string {
	var b strings.Builder
	for _, hop := range h.Via {
		b.WriteString(" " + hop.HostPort())
	}
	return b.String()
}

// register stores one host as planned.
func (t *tx) register(project string, p hostPlan, kept string) error {
	k := knownHost{Host: p.host, Imported: true, Kept: kept}
	from := p.old
	if p.gives != nil {
		t.dropHost(project, p.gives)
		if from == nil {
			from = p.gives
		}
	}
	if from != nil {
		k.Agent, k.Version, k.Verified = from.Agent, from.Version, from.Verified
	}
	if p.keeps { // as it is now: they may just have been sealed anew
		now, err := t.knownHost(project, p.host.ID)
		if err != nil {
			return err
		}
		k.Kept, k.Epoch, k.Invocation = now.Kept, now.Epoch, now.Invocation
	}
	t.putHost(project, p.old, &k)
	return nil
}

// RemoveHosts forgets known hosts and erases their credentials, those of an
// installer too; all of them or none. The error joins one for each host that
// cannot be removed: ErrNotFound, or ErrInUse while work for it has not ended.
// What was done on the hosts stays in the lists, and so do their host keys.
func (s *Store) RemoveHosts(ctx context.Context, project string, ids []string) error {
	if s.o.ReadOnly {
		return errReadOnly
	}
	s.roster.Lock()
	defer s.roster.Unlock()
	var lose []*knownHost
	err := s.view(ctx, func(t *tx) error {
		lose = nil
		hosts, err := t.removable(project, ids)
		for _, k := range hosts {
			if k.Kept != "" {
				lose = append(lose, k)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	boxes, err := s.rekey(ctx, project, lose)
	if err == nil {
		err = s.update(ctx, func(t *tx) error {
			hosts, err := t.removable(project, ids)
			if err != nil {
				return err
			}
			if err := t.putBoxes(project, boxes); err != nil {
				return err
			}
			for _, k := range hosts {
				if err := t.removeHost(project, k, &boxes); err != nil {
					return err
				}
			}
			gone := make([]installer.Host, len(hosts))
			for i, k := range hosts {
				gone[i] = k.Host
			}
			return s.auditManaged(ctx, t, project, installer.AuditHostRemove, gone)
		})
	}
	s.settleBoxes(boxes, err)
	return err
}

// removable returns the hosts if every one of them can be removed.
func (t *tx) removable(project string, ids []string) ([]*knownHost, error) {
	hosts := make([]*knownHost, 0, len(ids))
	seen := make(map[string]bool, len(ids))
	var errs []error
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		k, err := t.knownHost(project, id)
		if err != nil {
			return nil, err
		}
		if k == nil {
			errs = append(errs, notFound("host", id))
			continue
		}
		n, err := t.openWork(project, id)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			errs = append(errs, fmt.Errorf("host %s: %w: %d tasks for it have not ended", id, installer.ErrInUse, n))
		}
		hosts = append(hosts, k)
	}
	return hosts, errors.Join(errs...)
}

// openWork counts the invocations on a host that have not ended.
func (t *tx) openWork(project, id string) (n int, err error) {
	for r, err := range t.invocationsOn(project, id) {
		if err != nil {
			return 0, err
		}
		if !r.State.Terminal() {
			n++
		}
	}
	return n, nil
}

// removeHost drops all rows that let somebody into the host, and the host's own.
func (t *tx) removeHost(project string, k *knownHost, boxes *hostBoxes) error {
	for r, err := range t.invocationsOn(project, k.Host.ID) {
		if err != nil {
			return err
		}
		t.del(bSealed, join(r.BatchID, r.ID))
	}
	setUp, err := t.setUpHost(project, k.Host.ID)
	if err != nil {
		return err
	}
	if setUp != nil {
		t.del(bSetUp, join(project, k.Host.ID))
		if setUp.Epoch != "" {
			t.dropEpoch(setUp.Epoch)
			boxes.gone = append(boxes.gone, setUp.Epoch)
		}
	}
	t.dropHost(project, k)
	return nil
}
