package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

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

// HostCredentials implements installer.Ledger: those that the host was imported
// with, else the newest that it has accepted, else the newest that came with a
// task for it; for an installer of which these are gone, those it was made one with.
func (s *Store) HostCredentials(ctx context.Context, project string, to installer.Host) (installer.Credentials, error) {
	return s.openFirst(ctx, project, to.ID, func(t *tx) ([]box, error) {
		k, err := t.knownHost(project, to.ID)
		if err != nil {
			return nil, err
		}
		if k == nil {
			return nil, notFound("host", to.ID)
		}
		return t.boxesFor(project, k, to)
	})
}

// openSealed opens one sealed row. field is the invocation that the
// credentials came with, hostField or setUpField.
func (s *Store) openSealed(ctx context.Context, epoch, project, host, field string) (installer.Credentials, error) {
	return s.openFirst(ctx, project, host, func(*tx) ([]box, error) { return []box{{epoch, field}}, nil })
}

// sealedRow is a sealed value with what it takes to open it.
type sealedRow struct {
	box
	key   string // the name of its epoch's key
	value []byte
}

// openFirst opens the first of a host's boxes that can be opened. Where a key is
// gone it looks once more: what shared it with others may have been sealed anew.
func (s *Store) openFirst(ctx context.Context, project, host string, find func(*tx) ([]box, error)) (installer.Credentials, error) {
	gone := map[string]bool{} // keys
	for {
		var rows []sealedRow
		err := s.view(ctx, func(t *tx) error {
			boxes, err := find(t)
			if err != nil {
				return err
			}
			rows, err = s.kept(t, host, boxes)
			return err
		})
		if err != nil {
			return installer.Credentials{}, err
		}
		rows = slices.DeleteFunc(rows, func(r sealedRow) bool { return gone[r.key] })
		switch {
		case len(rows) == 0 && len(gone) > 0:
			return installer.Credentials{}, missing("the credentials of host %s have been erased", host)
		case len(rows) == 0:
			return installer.Credentials{}, missing("no credentials are kept for host %s", host)
		}
		c, err := s.open(rows[0], project, host)
		if !errors.Is(err, errKeyGone) {
			return c, err
		}
		gone[rows[0].key] = true
	}
}

// errKeyGone: the key was erased.
var errKeyGone = errors.New("the key has been erased")

// kept returns the rows of the boxes that are there and whose time is not over.
func (s *Store) kept(t *tx, host string, boxes []box) ([]sealedRow, error) {
	var rows []sealedRow
	for _, b := range boxes {
		value := t.get(bSealed, join(b.epoch, sealedName(host, b.field)))
		if value == nil {
			continue
		}
		e, err := t.epoch(b.epoch)
		if err != nil {
			return nil, err
		}
		over, err := s.over(t, e, s.o.Clock())
		if err != nil {
			return nil, err
		}
		if !over {
			rows = append(rows, sealedRow{b, e.key(), bytes.Clone(value)})
		}
	}
	return rows, nil
}

func (s *Store) open(row sealedRow, project, host string) (installer.Credentials, error) {
	key, err := s.keys.key(row.key)
	if errors.Is(err, fs.ErrNotExist) {
		return installer.Credentials{}, errKeyGone
	}
	if err != nil {
		return installer.Credentials{}, storageError("opening credentials", err)
	}
	defer clear(key)
	packed, err := unseal(key, row.value, place(row.epoch, project, host, row.field))
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
	s.roster.Lock() // nobody changes the key meanwhile
	defer s.roster.Unlock()
	var open []*record
	name := batchID // of the key
	err := s.view(ctx, func(t *tx) error {
		e, err := t.epoch(batchID)
		if err != nil {
			return err
		}
		name, open = e.key(), nil
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
	key, err := s.keys.key(name)
	made := errors.Is(err, fs.ErrNotExist)
	if made {
		key, err = s.keys.create(name)
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
		s.abandon(name, err)
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
