package inventory

import (
	"context"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// setUpHost is a host that SET_REMOTE_INSTALLER made an installer.
type setUpHost struct {
	Host installer.Host `json:"host"`
	// Order in which installers were set; kept when one is set again.
	Order uint64 `json:"order"`
}

func (t *Tx) setUpHost(project, id string) (*setUpHost, error) {
	row := t.Get(TSetUp, kv.Join(project, id))
	if row == nil {
		return nil, nil
	}
	h := &setUpHost{}
	_, err := kv.ReadRow(row, h)
	return h, err
}

// SealInstaller seals a new installer's credentials again, under a key of their own,
// so that they outlive their batch's: for a SET_REMOTE_INSTALLER that is about to be
// finished. nil: there is nothing to keep.
func (s *Inventory) SealInstaller(ctx context.Context, ref installer.Ref, tr installer.Transition) ([]byte, error) {
	if tr.State != installer.Succeeded {
		return nil, nil
	}
	var r *tasks.Record
	err := s.View(ctx, func(t *Tx) error {
		a, err := t.Held(ref)
		if err != nil || !a.SetUp {
			return err
		}
		r, err = t.Load(ref.ID)
		return err
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
	keys, err := s.vault.NewKeys(1)
	if err != nil {
		return nil, err
	}
	return sealLogin(keys[0], r.ProjectID, r.Host.ID, jumpLogin(r.ProjectID, r.Host.ID), creds), nil
}

// AddInstaller makes the host of a task an installer, with the sealed login if there is
// one.
func (t *Tx) AddInstaller(r *tasks.Record, login []byte) error {
	old, err := t.setUpHost(r.ProjectID, r.Host.ID)
	if err != nil {
		return err
	}
	now := setUpHost{Host: r.Host, Order: r.Seq}
	if old != nil {
		now.Order = old.Order
		if login == nil && !old.Host.SameRoute(r.Host) { // the old one is for elsewhere
			t.dropLogin(jumpLogin(r.ProjectID, r.Host.ID))
		}
	}
	if login != nil {
		t.putLogin(jumpLogin(r.ProjectID, r.Host.ID), login)
	}
	t.PutRow(TSetUp, r.HostKey(), r.Seq, now)
	return nil
}

func (t *Tx) dropInstaller(project, host string) {
	t.Del(TSetUp, kv.Join(project, host))
	t.dropLogin(jumpLogin(project, host))
}

// Installers implements installer.Ledger.
func (s *Inventory) Installers(ctx context.Context, project string) ([]installer.Host, error) {
	var found []setUpHost
	err := s.View(ctx, func(t *Tx) (err error) {
		found, err = t.Installers(project)
		return err
	})
	hosts := make([]installer.Host, len(found))
	for i, h := range found {
		hosts[i] = h.Host
	}
	return hosts, err
}
