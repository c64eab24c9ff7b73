package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

type jumpHost struct {
	Host installer.Host `json:"host"`
	// Order in which jump hosts were set; kept when one is set again.
	Order uint64 `json:"order"`
}

func (t *Tx) jumpHost(project, id string) *jumpHost {
	return kv.GetRow[jumpHost](t.Tx.Tx, TSetUp, kv.Join(project, id))
}

// jumpHosts are those of a project, the first one set first.
func (t *Tx) jumpHosts(project string) []installer.Host {
	var found []jumpHost
	for _, h := range kv.Rows[jumpHost](t.Tx.Tx, TSetUp, kv.Join(project)) {
		found = append(found, *h)
	}
	slices.SortFunc(found, func(a, b jumpHost) int { return cmp.Compare(a.Order, b.Order) })
	hosts := []installer.Host{}
	for _, h := range found {
		hosts = append(hosts, h.Host)
	}
	return hosts
}

func (s *Inventory) JumpHosts(ctx context.Context, project string) ([]installer.Host, error) {
	return kv.Read(ctx, s, func(t *Tx) ([]installer.Host, error) { return t.jumpHosts(project), nil })
}

// SealJumpHost seals a new jump host's credentials again, under a key of their own, so that they
// outlive their batch's. nil: there is nothing to keep.
func (s *Inventory) SealJumpHost(ctx context.Context, ref installer.Ref, tr installer.Transition) ([]byte, error) {
	if tr.State != installer.Succeeded {
		return nil, nil
	}
	r, err := kv.Read(ctx, s, func(t *Tx) (*tasks.Record, error) {
		a, err := t.Held(ref)
		if err != nil || !a.SetUp {
			return nil, err
		}
		return t.Load(ref.ID), nil
	})
	if err != nil || r == nil {
		return nil, err
	}
	creds, err := s.Credentials(ctx, &r.Invocation)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l, err := s.newSealer(creds)
	if err != nil {
		return nil, err
	}
	return l.seal(r.ProjectID, r.Host.ID, jumpLogin(r.ProjectID, r.Host.ID), creds), nil
}

// AddJumpHost makes the host of a task a jump host, with the sealed login if there is
// one.
func (t *Tx) AddJumpHost(r *tasks.Record, sealed []byte) {
	old := t.jumpHost(r.ProjectID, r.Host.ID)
	now := jumpHost{Host: r.Host, Order: r.Seq}
	if old != nil {
		now.Order = old.Order
	}
	switch key := jumpLogin(r.ProjectID, r.Host.ID); {
	case sealed != nil:
		t.putLogin(key, sealed)
	case old != nil && !old.Host.SameRoute(r.Host): // the old one is for elsewhere
		t.dropLogin(key)
	}
	t.PutRow(TSetUp, r.HostKey(), r.Seq, now)
}

func (t *Tx) dropJumpHost(project, host string) {
	t.Del(TSetUp, kv.Join(project, host))
	t.dropLogin(jumpLogin(project, host))
}

// UnsetInstallers makes hosts jump hosts no more and erases the logins that they were
// kept with, not those of tasks on them; all of them or none. What waits and was to go
// through them is reached by others, or fails. The error joins an ErrNotFound for each
// that is no jump host.
func (s *Inventory) UnsetInstallers(ctx context.Context, project string, ids []string) error {
	find := func(t *Tx, id string) (installer.Host, error) {
		if h := t.jumpHost(project, id); h != nil {
			return h.Host, nil
		}
		return installer.Host{}, fmt.Errorf("host %s is no jump host: %w", id, installer.ErrNotFound)
	}
	return s.dropAll(ctx, project, ids, installer.AuditJumpHostUnset, find, func(t *Tx, h installer.Host) {
		t.dropJumpHost(project, h.ID)
	})
}
