package inventory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
	"tripod/store/tasks"
	"tripod/store/vault"
)

// A sealed login is found by its key. Batches' ids begin with no '/'.

// taskLogin is what came with an invocation.
func taskLogin(r *tasks.Record) []byte { return kv.Join(r.BatchID, r.ID) }

// hostLogin is what a host was imported with.
func hostLogin(project, host string) []byte { return kv.Join("/host", project, host) }

// jumpLogin is what a host was made an installer with.
func jumpLogin(project, host string) []byte { return kv.Join("/installer", project, host) }

// batchOf is the batch whose time is the login's; empty: it has no time.
func batchOf(login []byte) string {
	batch, _, _ := bytes.Cut(login, []byte{0})
	if bytes.HasPrefix(batch, []byte("/")) {
		return ""
	}
	return string(batch)
}

// place is what a sealed login is bound to.
func place(project, host string, login []byte) []byte {
	return append(kv.Join("tripod/2", project, host), login...)
}

// Credentials implements engine.Queue.
func (s *Inventory) Credentials(ctx context.Context, inv *installer.Invocation) (installer.Credentials, error) {
	return s.OpenLogin(ctx, inv.ProjectID, inv.Host.ID, taskLogin(&tasks.Record{Invocation: *inv}))
}

// HostCredentials implements installer.Ledger: those that the host was imported
// with, else the newest that it has accepted, else the newest that came with a
// task for it; for an installer of which these are gone, those it was made one with.
func (s *Inventory) HostCredentials(ctx context.Context, project string, to installer.Host) (installer.Credentials, error) {
	return s.openFirst(ctx, project, to.ID, func(t *Tx) ([][]byte, error) {
		k, err := t.KnownHost(project, to.ID)
		if err != nil {
			return nil, err
		}
		if k == nil {
			return nil, kv.NotFound("host", to.ID)
		}
		return t.loginsFor(project, k, to)
	})
}

// OpenLogin opens the login of a host that has this key.
func (s *Inventory) OpenLogin(ctx context.Context, project, host string, login []byte) (installer.Credentials, error) {
	return s.openFirst(ctx, project, host, func(*Tx) ([][]byte, error) { return [][]byte{login}, nil })
}

// sealedLogin is a row.
type sealedLogin struct{ key, value []byte }

// openFirst opens the first of a host's logins that can be opened. Where one is
// forgotten meanwhile it looks once more: another may have taken its place.
func (s *Inventory) openFirst(ctx context.Context, project, host string, find func(*Tx) ([][]byte, error)) (installer.Credentials, error) {
	gone := map[string]bool{} // sealed values
	for {
		var rows []sealedLogin
		err := s.View(ctx, func(t *Tx) error {
			keys, err := find(t)
			if err != nil {
				return err
			}
			rows, err = s.kept(t, keys)
			return err
		})
		if err != nil {
			return installer.Credentials{}, err
		}
		rows = slices.DeleteFunc(rows, func(r sealedLogin) bool { return gone[string(r.value)] })
		switch {
		case len(rows) == 0 && len(gone) > 0:
			return installer.Credentials{}, missing("the credentials of host %s have been erased", host)
		case len(rows) == 0:
			return installer.Credentials{}, missing("no credentials are kept for host %s", host)
		}
		packed, err := s.vault.Open(place(project, host, rows[0].key), rows[0].value)
		if errors.Is(err, vault.ErrForgotten) {
			gone[string(rows[0].value)] = true
			continue
		}
		if err != nil {
			return installer.Credentials{}, disk.Error("opening credentials", fmt.Errorf("host %s: %w", host, err))
		}
		defer clear(packed)
		return unpackCredentials(packed)
	}
}

// kept returns the logins that are there and whose time is not over.
func (s *Inventory) kept(t *Tx, keys [][]byte) ([]sealedLogin, error) {
	var rows []sealedLogin
	for _, key := range keys {
		value := t.Get(TSealed, key)
		if value == nil {
			continue
		}
		over, err := t.IsOver(batchOf(key), s.Clock())
		if err != nil {
			return nil, err
		}
		if !over {
			rows = append(rows, sealedLogin{key, bytes.Clone(value)})
		}
	}
	return rows, nil
}

// SealBatch seals the credentials of a new batch. nil: none of its items has any.
func (s *Inventory) SealBatch(records []*tasks.Record, items []installer.Item) ([][]byte, error) {
	n := 0
	for i := range items {
		if !isNone(items[i].Credentials) {
			n++
		}
	}
	if n == 0 {
		return nil, nil
	}
	keys, err := s.vault.NewKeys(n)
	if err != nil {
		return nil, err
	}
	sealed := make([][]byte, len(items))
	for i, r := range records {
		if isNone(items[i].Credentials) {
			continue
		}
		sealed[i] = sealLogin(keys[0], r.ProjectID, r.Host.ID, taskLogin(r), items[i].Credentials)
		keys = keys[1:]
	}
	return sealed, nil
}

func sealLogin(key vault.Key, project, host string, login []byte, c installer.Credentials) []byte {
	packed := packCredentials(c)
	defer clear(packed)
	return key.Seal(place(project, host, login), packed)
}

func refs(keys []vault.Key) [][]byte {
	all := make([][]byte, len(keys))
	for i := range keys {
		all[i] = keys[i].Ref()
	}
	return all
}

func isNone(c installer.Credentials) bool { return len(c.Via) == 0 && len(c.Secrets()) == 0 }

// RefreshCredentials replaces the credentials of the batch's invocations that
// have not ended; those that have are left out. ErrNotFound if an invocation
// is not of this batch.
func (s *Inventory) RefreshCredentials(ctx context.Context, batchID string, byInvocation map[string]installer.Credentials) error {
	keys, err := s.vault.NewKeys(len(byInvocation))
	if err != nil {
		return err
	}
	unused := keys
	now := s.Clock()
	err = s.Update(ctx, func(t *Tx) error {
		unused = keys
		var open []*tasks.Record
		for id, c := range byInvocation {
			r, err := t.Load(id)
			if err != nil {
				return err
			}
			if r == nil || r.BatchID != batchID {
				return kv.NotFound("invocation", id)
			}
			if r.State.Terminal() || isNone(c) {
				continue
			}
			open = append(open, r)
			sealed := sealLogin(unused[0], r.ProjectID, r.Host.ID, taskLogin(r), c)
			unused = unused[1:]
			if err := t.RegisterHost(r, sealed); err != nil {
				return err
			}
		}
		if len(open) == 0 {
			return nil
		}
		if t.Get(tasks.TKept, []byte(batchID)) == nil {
			t.PutRow(tasks.TKept, []byte(batchID), 0, tasks.KeptUntil{})
		}
		return s.auditRefresh(ctx, t, now, batchID, open)
	})
	if err != nil {
		s.Abandon(err, refs(keys)...)
		return err
	}
	s.Abandon(nil, refs(unused)...)
	return nil
}
