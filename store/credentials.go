package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"tripod/installer"
)

// Credentials implements installer.Queue.
func (s *Store) Credentials(ctx context.Context, inv *installer.Invocation) (installer.Credentials, error) {
	return s.openSealed(ctx, inv.BatchID, inv.ProjectID, inv.Host.ID, inv.ID)
}

// box names a sealed row of a host: its epoch, and what it is bound to.
type box struct{ epoch, field string }

// hostField binds the credentials that a host was imported with.
const hostField = "/host"

// boxes are where a host's credentials may be, in the order in which they count.
// setUp is nil for one that is no installer.
func (k *knownHost) boxes(setUp *setUpHost) []box {
	var all []box
	if k.Kept != "" {
		all = append(all, box{k.Kept, hostField})
	}
	if k.Epoch != "" {
		all = append(all, box{k.Epoch, k.Invocation})
	}
	if setUp != nil && setUp.Epoch != "" {
		all = append(all, box{setUp.Epoch, setUpField})
	}
	return all
}

// HostCredentials implements installer.Ledger: those that the host was imported
// with, else the newest that came with a task for it; for an installer of which
// these are gone, those it was made one with.
func (s *Store) HostCredentials(ctx context.Context, project, instanceID string) (installer.Credentials, error) {
	var boxes []box
	err := s.view(ctx, func(t *tx) error {
		k, err := t.knownHost(project, instanceID)
		if err != nil {
			return err
		}
		if k == nil {
			return notFound("host", instanceID)
		}
		setUp, err := t.setUpHost(project, instanceID)
		boxes = k.boxes(setUp)
		return err
	})
	if err != nil {
		return installer.Credentials{}, err
	}
	err = missing("no credentials were ever given for host %s", instanceID)
	for _, b := range boxes {
		var c installer.Credentials
		if c, err = s.openSealed(ctx, b.epoch, project, instanceID, b.field); err == nil || !isMissing(err) {
			return c, err
		}
	}
	return installer.Credentials{}, err
}

// InstallerCredentials implements installer.Ledger.
func (s *Store) InstallerCredentials(ctx context.Context, project, instanceID string) (installer.Credentials, error) {
	var setUp *setUpHost
	err := s.view(ctx, func(t *tx) (err error) {
		setUp, err = t.setUpHost(project, instanceID)
		return err
	})
	switch {
	case err != nil:
		return installer.Credentials{}, err
	case setUp == nil || setUp.Epoch == "":
		return s.HostCredentials(ctx, project, instanceID)
	}
	return s.openSealed(ctx, setUp.Epoch, project, instanceID, setUpField)
}

// openSealed opens one sealed row. field is the invocation that the
// credentials came with, hostField or setUpField.
func (s *Store) openSealed(ctx context.Context, epoch, project, host, field string) (installer.Credentials, error) {
	var box []byte
	err := s.view(ctx, func(t *tx) error {
		box = bytes.Clone(t.get(bSealed, join(epoch, sealedName(host, field))))
		return nil
	})
	if err != nil {
		return installer.Credentials{}, err
	}
	if box == nil {
		return installer.Credentials{}, missing("no credentials are kept for host %s", host)
	}
	key, err := s.keys.key(epoch)
	if errors.Is(err, fs.ErrNotExist) {
		return installer.Credentials{}, missing("the credentials of host %s have been erased", host)
	}
	if err != nil {
		return installer.Credentials{}, storageError("opening credentials", err)
	}
	defer clear(key)
	packed, err := unseal(key, box, place(epoch, project, host, field))
	if err != nil {
		return installer.Credentials{}, storageError("opening credentials", fmt.Errorf("host %s: %w", host, err))
	}
	defer clear(packed)
	return unpackCredentials(packed)
}

// sealedName is the second part of a sealed row's key.
func sealedName(host, field string) string {
	if field == setUpField || field == hostField {
		return host
	}
	return field
}

// sealBatch seals the credentials of a new batch under a new epoch. nil: none
// of its items has any.
func (s *Store) sealBatch(epoch string, records []*record, items []installer.Item) ([][]byte, error) {
	var key []byte
	var sealed [][]byte
	for i := range items {
		if isNone(items[i].Credentials) {
			continue
		}
		if key == nil {
			if s.o.ReadOnly {
				return nil, errReadOnly
			}
			var err error
			if key, err = s.keys.create(epoch); err != nil {
				return nil, err
			}
			defer clear(key)
			sealed = make([][]byte, len(items))
		}
		sealed[i] = sealCredentials(key, epoch, records[i], items[i].Credentials)
	}
	return sealed, nil
}

func sealCredentials(key []byte, epoch string, r *record, c installer.Credentials) []byte {
	packed := packCredentials(c)
	defer clear(packed)
	return seal(key, packed, place(epoch, r.ProjectID, r.Host.ID, r.ID))
}

func isNone(c installer.Credentials) bool { return len(c.Via) == 0 && len(c.Secrets()) == 0 }

// RefreshCredentials replaces the credentials of the batch's invocations that
// have not ended; those that have are left out. ErrNotFound if an invocation
// is not of this batch.
func (s *Store) RefreshCredentials(ctx context.Context, batchID string, byInvocation map[string]installer.Credentials) error {
	if s.o.ReadOnly {
		return errReadOnly
	}
	var open []*record
	err := s.view(ctx, func(t *tx) error {
		for id, c := range byInvocation {
			r, err := t.load(id)
			if err != nil {
				return err
			}
			if r == nil || r.BatchID != batchID {
				return notFound("invocation", id)
			}
			if !r.State.Terminal() && !isNone(c) {
				open = append(open, r)
			}
		}
		return nil
	})
	if err != nil || len(open) == 0 {
		return err
	}
	key, err := s.keys.key(batchID)
	made := errors.Is(err, fs.ErrNotExist)
	if made {
		key, err = s.keys.create(batchID)
	}
	if err != nil {
		return storageError("opening an epoch key", err)
	}
	defer clear(key)
	sealed := map[string][]byte{}
	for _, r := range open {
		sealed[r.ID] = sealCredentials(key, batchID, r, byInvocation[r.ID])
	}
	now := s.o.Clock()
	err = s.update(ctx, func(t *tx) error {
		if err := t.refresh(batchID, sealed); err != nil {
			return err
		}
		return s.auditRefresh(ctx, t, now, batchID, open)
	})
	if err != nil && made {
		s.abandon(batchID, err)
	}
	return err
}

func (t *tx) refresh(batchID string, sealed map[string][]byte) error {
	if t.tally(batchID).open() == 0 {
		return fmt.Errorf("batch %s: %w", batchID, installer.ErrStale)
	}
	for id, box := range sealed {
		r, err := t.load(id)
		if err != nil {
			return err
		}
		if r.State.Terminal() {
			continue
		}
		if err := t.registerHost(r, box); err != nil {
			return err
		}
	}
	if t.get(bEpochs, []byte(batchID)) == nil {
		t.putRow(bEpochs, []byte(batchID), 0, epoch{ID: batchID})
	}
	return nil
}
