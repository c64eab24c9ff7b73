package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// RegisterHosts makes hosts known, or known anew, in one transaction. An id
// that was derived gives way to the one that its address is known by; a given
// one takes the place of a host that joined by itself. An id that comes with
// another address, port or installers names another machine from then on, of which
// nothing is known yet; one that is an installer, or has work that has not ended,
// stays where it is. Credentials are kept until the host is removed or registered
// with others.
//
// The error is an installer.Faults where hosts are in each other's way.
func (s *Inventory) RegisterHosts(ctx context.Context, project string, entries []installer.HostEntry) error {
	if err := kv.CheckProject(project); err != nil {
		return err
	}
	for _, e := range entries {
		if err := kv.CheckPart("instance id", e.Host.ID, 64); err != nil {
			return err
		}
	}
	n := 0
	for _, e := range entries {
		if !isNone(e.Credentials) {
			n++
		}
	}
	keys, err := s.vault.NewKeys(n)
	if err != nil {
		return err
	}
	err = s.Update(ctx, func(t *Tx) error {
		plans, err := t.planHosts(project, entries)
		if err != nil {
			return err
		}
		unused := keys
		hosts := make([]installer.Host, len(plans))
		for i, p := range plans {
			hosts[i] = p.host
			if err := t.register(project, p, s.Clock()); err != nil {
				return err
			}
			if login := hostLogin(project, p.host.ID); !isNone(p.Credentials) {
				t.putLogin(login, sealLogin(unused[0], project, p.host.ID, login, p.Credentials))
				unused = unused[1:]
			}
		}
		return s.auditManaged(ctx, t, project, installer.AuditHostAdd, hosts)
	})
	if err != nil {
		s.Abandon(err, refs(keys)...)
	}
	return err
}

// register stores one host as planned, without a login that comes with it.
func (t *Tx) register(project string, p hostPlan, at time.Time) error {
	k := knownHost{Host: p.host, Imported: true, Since: at}
	from := p.old
	if p.moves() {
		from = nil
		if err := t.dropTaskLogins(project, p.host.ID); err != nil {
			return err
		}
	}
	if p.gives != nil {
		if err := t.dropTaskLogins(project, p.gives.Host.ID); err != nil {
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
	if p.keeps {
		k.Invocation, k.Given = p.old.Invocation, p.old.Given
	} else {
		t.dropLogin(hostLogin(project, p.host.ID))
	}
	t.putHost(project, p.old, &k)
	return nil
}

// RemoveHosts forgets known hosts and erases their credentials, those of an
// installer too; all of them or none. The error joins one for each host that
// cannot be removed: ErrNotFound, or ErrInUse while work for it has not ended.
// What was done on the hosts stays in the lists, and so do their host keys.
func (s *Inventory) RemoveHosts(ctx context.Context, project string, ids []string) error {
	return s.Update(ctx, func(t *Tx) error {
		hosts, err := t.removable(project, ids)
		if err != nil {
			return err
		}
		gone := make([]installer.Host, len(hosts))
		for i, k := range hosts {
			gone[i] = k.Host
			if err := t.dropTaskLogins(project, k.Host.ID); err != nil {
				return err
			}
			t.dropInstaller(project, k.Host.ID)
			t.dropHost(project, k)
		}
		return s.auditManaged(ctx, t, project, installer.AuditHostRemove, gone)
	})
}

// removable returns the hosts if every one of them can be removed.
func (t *Tx) removable(project string, ids []string) ([]*knownHost, error) {
	hosts := make([]*knownHost, 0, len(ids))
	seen := make(map[string]bool, len(ids))
	var errs []error
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		k, err := t.KnownHost(project, id)
		if err != nil {
			return nil, err
		}
		if k == nil {
			errs = append(errs, kv.NotFound("host", id))
			continue
		}
		n, err := t.OpenWork(project, id)
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

// OpenWork counts the invocations on a host that have not ended.
func (t *Tx) OpenWork(project, id string) (n int, err error) {
	pending := tasks.FactsWanted(installer.Filter{State: installer.Pending})
	running := tasks.FactsWanted(installer.Filter{State: installer.Running})
	for key := range t.All(tasks.THostList, kv.Join(project, id)) {
		facts := t.Get(tasks.TList, append(kv.Join(project), kv.StampOf(key)...))
		if facts == nil {
			return 0, fmt.Errorf("%w: the list has not all of host %s", disk.ErrDamaged, id)
		}
		if tasks.FactsMatch(facts, pending) || tasks.FactsMatch(facts, running) {
			n++
		}
	}
	return n, nil
}

// dropTaskLogins drops the credentials that came with the tasks on a host.
func (t *Tx) dropTaskLogins(project, id string) error {
	for r, err := range t.InvocationsOn(project, id) {
		if err != nil {
			return err
		}
		t.dropLogin(taskLogin(r))
	}
	return nil
}
