package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tripod/installer"
)

// errMoved: what was looked at before the transaction is no longer so.
var errMoved = errors.New("the known hosts are changed by others all the time: try again")

// RegisterHosts makes hosts known, or known anew, in one transaction. An id
// that was derived gives way to the one that its address is known by; a given
// one takes the place of a host that joined by itself. An id that comes with
// another address, port or installers names another machine from then on, of which
// nothing is known yet; one that is an installer, or has work that has not ended,
// stays where it is. Credentials are kept until the host is removed or registered
// with others.
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
	return whileMoved(func() error { return s.registerHosts(ctx, project, entries) })
}

// whileMoved tries a few times.
func whileMoved(try func() error) error {
	const tries = 5
	err := errMoved
	for n := 0; n < tries && errors.Is(err, errMoved); n++ {
		err = try()
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
		err = s.rekeyBatches(ctx, project, losers(plans), &boxes)
	}
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
			if !slices.Equal(losers(now), losers(plans)) {
				return errMoved
			}
			if err := t.putBoxes(project, boxes); err != nil {
				return err
			}
			for i, p := range now {
				if err := t.register(project, p, plans[i].kept, s.o.Clock()); err != nil {
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

// register stores one host as planned.
func (t *tx) register(project string, p hostPlan, kept string, at time.Time) error {
	k := knownHost{Host: p.host, Imported: true, Kept: kept, Since: at}
	from := p.old
	if p.moves() {
		from = nil
		if err := t.dropLogins(project, p.host.ID); err != nil {
			return err
		}
	}
	if p.gives != nil {
		if err := t.dropLogins(project, p.gives.Host.ID); err != nil {
			return err
		}
		t.dropHost(project, p.gives)
		if from == nil {
			from = p.gives
		}
	}
	if from != nil {
		k.Agent, k.Version, k.Verified, k.Edition, k.Before = from.Agent, from.Version, from.Verified, from.Edition, from.Before
	}
	if p.keeps { // as it is now: they may just have been sealed anew
		now, err := t.knownHost(project, p.host.ID)
		if err != nil {
			return err
		}
		k.Kept = now.Kept
		k.Invocation, k.Given = now.Invocation, now.Given
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
	return whileMoved(func() error { return s.removeHosts(ctx, project, ids) })
}

func (s *Store) removeHosts(ctx context.Context, project string, ids []string) error {
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
		err = s.rekeyBatches(ctx, project, ids, &boxes)
	}
	var installers []string // the epochs of their logins
	if err == nil {
		err = s.update(ctx, func(t *tx) error {
			installers = nil
			hosts, err := t.removable(project, ids)
			if err != nil {
				return err
			}
			if err := t.putBoxes(project, boxes); err != nil {
				return err
			}
			for _, k := range hosts {
				epoch, err := t.removeHost(project, k)
				if err != nil {
					return err
				}
				if epoch != "" {
					installers = append(installers, epoch)
				}
			}
			gone := make([]installer.Host, len(hosts))
			for i, k := range hosts {
				gone[i] = k.Host
			}
			return s.auditManaged(ctx, t, project, installer.AuditHostRemove, gone)
		})
	}
	boxes.gone = append(boxes.gone, installers...)
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
	list := t.bucket(bList)
	pending := factsWanted(installer.Filter{State: installer.Pending})
	running := factsWanted(installer.Filter{State: installer.Running})
	for key := range t.all(bHostList, join(project, id)) {
		facts := list.Get(append(join(project), stampOf(key)...))
		if facts == nil {
			return 0, fmt.Errorf("%w: the list has not all of host %s", ErrDamaged, id)
		}
		if factsMatch(facts, pending) || factsMatch(facts, running) {
			n++
		}
	}
	return n, nil
}

// dropLogins drops the credentials that came with the tasks on a host.
func (t *tx) dropLogins(project, id string) error {
	for r, err := range t.invocationsOn(project, id) {
		if err != nil {
			return err
		}
		t.del(bSealed, join(r.BatchID, r.ID))
	}
	return nil
}

// removeHost drops all rows that let somebody into the host, and the host's own. It
// returns the epoch of its login as an installer; empty: there is none.
func (t *tx) removeHost(project string, k *knownHost) (epoch string, err error) {
	if err := t.dropLogins(project, k.Host.ID); err != nil {
		return "", err
	}
	setUp, err := t.setUpHost(project, k.Host.ID)
	if err != nil {
		return "", err
	}
	if setUp != nil {
		t.del(bSetUp, join(project, k.Host.ID))
		if epoch = setUp.Epoch; epoch != "" {
			t.dropEpoch(epoch)
		}
	}
	t.dropHost(project, k)
	return epoch, nil
}
