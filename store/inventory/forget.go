package inventory

import (
	"bytes"
	"context"
	"errors"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
	"tripod/store/tasks"
	"tripod/store/vault"
)

// LoginsOf are the keys of a batch's logins, with those themselves.
func (t *Tx) LoginsOf(batch string) (keys, sealed [][]byte) {
	for key, value := range t.All(TSealed, kv.Join(batch)) {
		keys, sealed = append(keys, bytes.Clone(key)), append(sealed, bytes.Clone(value))
	}
	return keys, sealed
}

// ForgetBatches forgets all logins of batches. Their keys go first, with one sync
// for all of them: the rows are only tidied away after it, and a crash in between
// is made good by the next Purge.
func (s *Inventory) ForgetBatches(ctx context.Context, batches ...string) error {
	if s.db.ReadOnly() {
		return disk.ErrReadOnly
	}
	var sealed [][]byte
	err := s.View(ctx, func(t *Tx) error {
		sealed = nil
		for _, batch := range batches {
			_, values := t.LoginsOf(batch)
			sealed = append(sealed, values...)
		}
		return nil
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
			keys, _ := t.LoginsOf(batch)
			for _, key := range keys {
				t.dropLogin(key)
			}
			t.Del(tasks.TKept, []byte(batch))
		}
		return nil
	})
}

// Forget erases the keys that no row needs any more. One that cannot be overwritten
// is tried again by the next Purge.
func (s *Inventory) Forget(keys ...[]byte) {
	if err := s.vault.Forget(keys...); err != nil {
		s.Logger.Error("unneeded login keys are not erased yet", "keys", len(keys), "error", err)
	}
}

// Abandon forgets new keys that were not used, because of why. After a commit of
// which nobody knows whether it took place, the next Open decides.
func (s *Inventory) Abandon(why error, keys ...[]byte) {
	if len(keys) == 0 || errors.Is(why, installer.ErrStorage) && !disk.Curable(why) {
		return
	}
	s.Forget(keys...)
}

// TidyKeys forgets the keys that a crash left behind without rows.
func (s *Inventory) TidyKeys(ctx context.Context) error {
	return s.View(ctx, func(t *Tx) error {
		return s.vault.ForgetAllBut(func(yield func([]byte) bool) {
			for _, sealed := range t.All(TSealed, nil) {
				if !yield(sealed) {
					return
				}
			}
		})
	})
}

// putLogin stores a sealed login, in the place of one that may be there.
func (t *Tx) putLogin(key, sealed []byte) {
	t.forgetLogin(key)
	t.Put(TSealed, key, sealed)
}

// dropLogin forgets a login.
func (t *Tx) dropLogin(key []byte) {
	t.forgetLogin(key)
	t.Del(TSealed, key)
}

func (t *Tx) forgetLogin(key []byte) {
	if old := t.Get(TSealed, key); old != nil {
		t.forget = append(t.forget, bytes.Clone(vault.Ref(old)))
	}
}

// missing is what the engine is told when a credential is gone.
func missing(format string, args ...any) error {
	return installer.Fail(installer.KindCredentialMissing, format, args...)
}

func isMissing(err error) bool {
	f, ok := errors.AsType[*installer.Failure](err)
	return ok && f.Kind == installer.KindCredentialMissing
}
