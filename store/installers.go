package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"tripod/installer"
)

// setUpHost is a host that SET_REMOTE_INSTALLER made an installer.
type setUpHost struct {
	Host installer.Host `json:"host"`
	// Epoch of its own, so that its credentials outlive the batch's; empty:
	// it had none.
	Epoch string `json:"epoch,omitempty"`
	// Order in which installers were set; kept when one is set again.
	Order uint64 `json:"order"`
}

// setUpField binds an installer's credentials.
const setUpField = "/installer"

func (t *tx) setUpHost(project, id string) (*setUpHost, error) {
	row := t.get(bSetUp, join(project, id))
	if row == nil {
		return nil, nil
	}
	h := &setUpHost{}
	_, err := readRow(row, h)
	return h, err
}

// keptInstaller is what has to be ready before a SET_REMOTE_INSTALLER is
// finished in a transaction: an epoch key is a file.
type keptInstaller struct {
	epoch  string
	sealed []byte
}

// keepInstaller seals a new installer's credentials again, under an epoch of
// its own. nil: nothing to keep.
func (s *Store) keepInstaller(ctx context.Context, ref installer.Ref, tr installer.Transition) (*keptInstaller, error) {
	if tr.State != installer.Succeeded {
		return nil, nil
	}
	var r *record
	err := s.view(ctx, func(t *tx) error {
		a, err := t.held(ref)
		if err != nil || !a.setUp {
			return err
		}
		r, err = t.load(ref.ID)
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
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	kept := &keptInstaller{epoch: "installer-" + hex.EncodeToString(id[:])}
	key, err := s.keys.create(kept.epoch)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	packed := packCredentials(creds)
	defer clear(packed)
	kept.sealed = seal(key, packed, place(kept.epoch, r.ProjectID, r.Host.ID, setUpField))
	return kept, nil
}

// addInstaller returns the epoch that was the installer's and is dropped; empty:
// there is none. Its key is to be erased after the transaction.
func (t *tx) addInstaller(r *record, kept *keptInstaller) (replaced string, err error) {
	old, err := t.setUpHost(r.ProjectID, r.Host.ID)
	if err != nil {
		return "", err
	}
	now := setUpHost{Host: r.Host, Order: r.seq}
	if old != nil {
		now.Order = old.Order
		if kept == nil && old.Host.SameWay(r.Host) {
			now.Epoch = old.Epoch
		} else { // there is a new login, or the old one is for elsewhere
			replaced = old.Epoch
		}
	}
	if replaced != "" {
		t.dropEpoch(replaced)
	}
	if kept != nil {
		now.Epoch = kept.epoch
		t.put(bSealed, join(kept.epoch, sealedName(r.Host.ID, setUpField)), kept.sealed)
		t.putRow(bEpochs, []byte(kept.epoch), r.seq, epoch{ID: kept.epoch, Installer: true})
	}
	t.putRow(bSetUp, r.hostKey(), r.seq, now)
	return replaced, nil
}

// settleInstaller erases the keys that are not needed, after the transaction.
func (s *Store) settleInstaller(kept *keptInstaller, replaced string, err error) {
	switch {
	case err != nil && kept != nil:
		s.abandon(kept.epoch, err)
	case err == nil && replaced != "":
		s.abandon(replaced, nil)
	}
}

// Installers implements installer.Ledger.
func (s *Store) Installers(ctx context.Context, project string) ([]installer.Host, error) {
	var found []setUpHost
	err := s.view(ctx, func(t *tx) (err error) {
		found, err = t.installers(project)
		return err
	})
	hosts := make([]installer.Host, len(found))
	for i, h := range found {
		hosts[i] = h.Host
	}
	return hosts, err
}
