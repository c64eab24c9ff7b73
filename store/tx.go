package store

import (
	"bytes"
	"context"

	"tripod/store/kv"
	"tripod/store/vault"
)

// tx is one transaction, with what is to be done once it is on disk.
type tx struct {
	*kv.Tx
	forget [][]byte // keys that no row needs any more
}

// view reads one consistent state, for a short time: a long reader makes the
// file grow.
func (s *Store) view(ctx context.Context, fn func(*tx) error) error {
	return s.db.View(ctx, func(k *kv.Tx) error { return fn(&tx{Tx: k}) })
}

// update changes the state; see kv.DB.Update. The logins that fn drops or replaces
// are forgotten afterwards.
func (s *Store) update(ctx context.Context, fn func(*tx) error) error {
	var forget [][]byte
	err := s.db.Update(ctx, func(k *kv.Tx) error {
		t := &tx{Tx: k}
		err := fn(t)
		forget = t.forget
		return err
	})
	if err == nil && len(forget) > 0 {
		s.forget(forget...)
	}
	return err
}

// putLogin stores a sealed login, in the place of one that may be there.
func (t *tx) putLogin(key, sealed []byte) {
	t.forgetLogin(key)
	t.Put(bSealed, key, sealed)
}

// dropLogin forgets a login.
func (t *tx) dropLogin(key []byte) {
	t.forgetLogin(key)
	t.Del(bSealed, key)
}

func (t *tx) forgetLogin(key []byte) {
	if old := t.Get(bSealed, key); old != nil {
		t.forget = append(t.forget, bytes.Clone(vault.Ref(old)))
	}
}
