package inventory

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
	"tripod/store/tasks"
	"tripod/store/vault"
)

// A sealed login is found by its key. Batches' ids begin with no '/'.

func taskLogin(batch, id string) []byte { return kv.Join(batch, id) }

func importedLogin(project, host string) []byte { return kv.Join("/host", project, host) }

// importedKeys are the agent's, apart from the login: either may be given again alone.
func importedKeys(project, host string) []byte { return kv.Join("/agent", project, host) }

// importedVars are the secret variables of scripts, apart for the same reason.
func importedVars(project, host string) []byte { return kv.Join("/vars", project, host) }

func jumpLogin(project, host string) []byte { return kv.Join("/jump-host", project, host) }

// batchOf is the batch whose time is the login's; empty: it has no time.
func batchOf(login []byte) string {
	batch, _, _ := bytes.Cut(login, []byte{0})
	if bytes.HasPrefix(batch, []byte("/")) {
		return ""
	}
	return string(batch)
}

func place(project, host string, login []byte) []byte {
	return append(kv.Join("tripod/2", project, host), login...)
}

// Credentials implements engine.Queue.
func (s *Inventory) Credentials(ctx context.Context, inv *installer.Invocation) (installer.Credentials, error) {
	own := [][]byte{taskLogin(inv.BatchID, inv.ID)}
	return s.openFirst(ctx, inv.ProjectID, inv.Host.ID, func(*Tx) ([][]byte, error) { return own, nil })
}

type sealedLogin struct{ key, value []byte }

// openFirst opens the first of a host's logins that can be opened. Where one is
// forgotten meanwhile it looks once more: another may have taken its place.
func (s *Inventory) openFirst(ctx context.Context, project, host string, find func(*Tx) ([][]byte, error)) (installer.Credentials, error) {
	erased := map[string]bool{} // sealed values
	for {
		rows, err := kv.Read(ctx, s, func(t *Tx) ([]sealedLogin, error) {
			keys, err := find(t)
			if err != nil {
				return nil, err
			}
			return s.kept(t, keys...), nil
		})
		if err != nil {
			return installer.Credentials{}, err
		}
		rows = slices.DeleteFunc(rows, func(r sealedLogin) bool { return erased[string(r.value)] })
		switch {
		case len(rows) == 0 && len(erased) > 0:
			return installer.Credentials{}, missing("the credentials of host %s have been erased", host)
		case len(rows) == 0:
			return installer.Credentials{}, missing("no credentials are kept for host %s", host)
		}
		packed, err := s.vault.Open(place(project, host, rows[0].key), rows[0].value)
		if errors.Is(err, vault.ErrForgotten) {
			erased[string(rows[0].value)] = true
			continue
		}
		if err != nil {
			return installer.Credentials{}, disk.Error("opening credentials", fmt.Errorf("host %s: %w", host, err))
		}
		defer clear(packed)
		return unpackCredentials(packed)
	}
}

func (s *Inventory) kept(t *Tx, keys ...[]byte) (rows []sealedLogin) {
	for _, key := range keys {
		if value := t.Get(TSealed, key); value != nil && !t.IsOver(batchOf(key), s.Clock()) {
			rows = append(rows, sealedLogin{key, bytes.Clone(value)})
		}
	}
	return rows
}

func missing(format string, args ...any) *installer.Failure {
	return installer.Fail(installer.KindCredentialMissing, format, args...)
}

func isMissing(err error) bool {
	f, ok := errors.AsType[*installer.Failure](err)
	return ok && f.Kind == installer.KindCredentialMissing
}

// sealer seals logins under new keys, which are on disk.
type sealer struct {
	keys []vault.Key
	used int
}

func (s *Inventory) newSealer(creds ...installer.Credentials) (*sealer, error) {
	keys, err := s.vault.NewKeys(len(slices.DeleteFunc(creds, isNone)))
	return &sealer{keys: keys}, err
}

func (l *sealer) seal(project, host string, login []byte, c installer.Credentials) []byte {
	if isNone(c) {
		return nil
	}
	packed := packCredentials(c)
	defer clear(packed)
	l.used++
	return l.keys[l.used-1].Seal(place(project, host, login), packed)
}

// finish forgets the keys that no row needs, after a transaction.
func (s *Inventory) finish(l *sealer, err error) error {
	unused := l.keys[l.used:]
	if err != nil {
		unused = l.keys
	}
	refs := make([][]byte, len(unused))
	for i := range unused {
		refs[i] = unused[i].Ref()
	}
	s.Abandon(err, refs...)
	return err
}

func isNone(c installer.Credentials) bool { return len(c.Via) == 0 && len(c.Secrets()) == 0 }

// SealBatch seals the credentials of a new batch. nil: none of its items has any.
func (s *Inventory) SealBatch(records []*tasks.Record, items []installer.Item) ([][]byte, error) {
	creds := make([]installer.Credentials, len(items))
	for i := range items {
		creds[i] = items[i].Credentials
	}
	l, err := s.newSealer(creds...)
	if err != nil || len(l.keys) == 0 {
		return nil, err
	}
	sealed := make([][]byte, len(items))
	for i, r := range records {
		sealed[i] = l.seal(r.ProjectID, r.Host.ID, taskLogin(r.BatchID, r.ID), items[i].Credentials)
	}
	return sealed, nil
}

// withOwn puts into credentials without keys of the agent, or variables, those that their invocation has.
func (s *Inventory) withOwn(
	ctx context.Context, byInvocation map[string]installer.Credentials,
) (map[string]installer.Credentials, error) {
	all := maps.Clone(byInvocation)
	for id, c := range byInvocation {
		r, err := kv.Read(ctx, s, func(t *Tx) (*tasks.Record, error) { return t.Load(id), nil })
		if err == nil && r != nil {
			var own installer.Credentials
			own, err = s.besideLogin(ctx, r.ProjectID, r.Host, &r.Invocation, nil)
			c.Agent, c.Vars = cmp.Or(c.Agent, own.Agent), c.Vars.Over(own.Vars)
			all[id] = c
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// RefreshCredentials replaces the credentials of the batch's invocations that have not ended. The agent's
// keys and variables stay where there are no others. ErrNotFound if an invocation is not of this batch.
func (s *Inventory) RefreshCredentials(ctx context.Context, batchID string, byInvocation map[string]installer.Credentials) error {
	byInvocation, err := s.withOwn(ctx, byInvocation)
	if err != nil {
		return err
	}
	l, err := s.newSealer(slices.Collect(maps.Values(byInvocation))...)
	if err != nil {
		return err
	}
	return s.finish(l, s.Update(ctx, func(t *Tx) error {
		l.used = 0
		e := installer.AuditEntry{Action: installer.AuditCredentials, Batch: batchID}
		var hosts []installer.Host
		for id, c := range byInvocation {
			r := t.Load(id)
			if r == nil || r.BatchID != batchID {
				return kv.NotFound("invocation", id)
			}
			if r.State.Terminal() || isNone(c) {
				continue
			}
			hosts, e.Project = append(hosts, r.Host), r.ProjectID
			t.RegisterHost(r, l.seal(r.ProjectID, r.Host.ID, taskLogin(batchID, id), c))
		}
		if len(hosts) == 0 {
			return nil
		}
		t.Keep(batchID)
		return s.audit(ctx, t, e, hosts...)
	}))
}

// ForgetBatches forgets all logins of batches. Their keys go first, with one sync; what a crash leaves
// of the rows, the next Purge tidies away.
func (s *Inventory) ForgetBatches(ctx context.Context, batches ...string) error {
	if s.DB.ReadOnly() {
		return disk.ErrReadOnly
	}
	sealed, err := kv.Read(ctx, s, func(t *Tx) (sealed [][]byte, err error) {
		for _, batch := range batches {
			for _, value := range t.All(TSealed, kv.Join(batch)) {
				sealed = append(sealed, bytes.Clone(value))
			}
		}
		return sealed, nil
	})
	if err == nil {
		err = s.vault.Forget(sealed...) // and what could not be forgotten before
	}
	if err != nil || len(batches) == 0 {
		return err
	}
	s.Logger.Debug("credentials erased", "batches", batches, "logins", len(sealed))
	return s.Update(ctx, func(t *Tx) error {
		for _, batch := range batches {
			for _, old := range t.All(TSealed, kv.Join(batch)) {
				t.forgetKey(old)
			}
			t.DelAll(TSealed, t.All(TSealed, kv.Join(batch)))
			t.Del(tasks.TKept, []byte(batch))
		}
		return nil
	})
}

// Forget erases the keys that no row needs any more. One that cannot be overwritten
// is tried again by the next Purge.
func (s *Inventory) Forget(keys ...[]byte) {
	if len(keys) == 0 {
		return
	}
	if err := s.vault.Forget(keys...); err != nil {
		s.Logger.Error("unneeded login keys are not erased yet", "keys", len(keys), "error", err)
	}
}

// Abandon forgets new keys that were not used, because of why. After a commit of
// which nobody knows whether it took place, the next Open decides.
func (s *Inventory) Abandon(why error, keys ...[]byte) {
	if !errors.Is(why, installer.ErrStorage) || disk.Curable(why) {
		s.Forget(keys...)
	}
}

// TidyKeys forgets the keys that a crash left behind without rows.
func (s *Inventory) TidyKeys(ctx context.Context) error {
	return s.View(ctx, func(t *Tx) error {
		var needed [][]byte
		for _, sealed := range t.All(TSealed, nil) {
			needed = append(needed, bytes.Clone(vault.Ref(sealed)))
		}
		return s.vault.ForgetAllBut(needed...)
	})
}

func (t *Tx) putLogin(key, sealed []byte) {
	t.forgetKey(t.Get(TSealed, key))
	t.Put(TSealed, key, sealed)
}

func (t *Tx) dropLogin(key []byte) {
	t.forgetKey(t.Get(TSealed, key))
	t.Del(TSealed, key)
}

func (t *Tx) forgetKey(sealed []byte) {
	if sealed != nil {
		t.forget = append(t.forget, bytes.Clone(vault.Ref(sealed)))
	}
}
