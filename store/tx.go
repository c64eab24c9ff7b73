package store

import (
	"context"

	"tripod/store/inventory"
)

// tx is one transaction.
type tx struct{ *inventory.Tx }

func (s *Store) view(ctx context.Context, fn func(*tx) error) error {
	return s.Inventory.View(ctx, func(t *inventory.Tx) error { return fn(&tx{t}) })
}

func (s *Store) update(ctx context.Context, fn func(*tx) error) error {
	return s.Inventory.Update(ctx, func(t *inventory.Tx) error { return fn(&tx{t}) })
}
