package store

import (
	"context"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// Batch implements installer.Ledger.
func (s *Store) Batch(ctx context.Context, project, id string) (head installer.BatchHead, err error) {
	err = s.view(ctx, func(t *tx) error {
		h, err := t.Head(id)
		if err != nil {
			return err
		}
		if h == nil || h.ProjectID != project {
			return kv.NotFound("batch", id)
		}
		head = *h
		return nil
	})
	return head, err
}

// Batches implements installer.Ledger. n ≤ 0: all.
func (s *Store) Batches(ctx context.Context, project string, n int) ([]installer.BatchHead, error) {
	var heads []installer.BatchHead
	err := s.view(ctx, func(t *tx) error {
		for _, id := range t.AllBackwards(tasks.THeadList, kv.Join(project)) {
			h, err := t.Head(string(id))
			if err != nil {
				return err
			}
			if h == nil {
				continue
			}
			heads = append(heads, *h)
			if len(heads) == n {
				break
			}
		}
		return nil
	})
	return heads, err
}

// OpenBatch finds the newest batch with this fingerprint that has open
// invocations, and reports whether there is one.
func (s *Store) OpenBatch(ctx context.Context, project, fingerprint string) (head installer.BatchHead, found bool, err error) {
	err = s.view(ctx, func(t *tx) error {
		for _, id := range t.AllBackwards(tasks.TPrints, tasks.PrintKey(project, fingerprint)) {
			if t.Counts(string(id)).Open() == 0 {
				continue
			}
			h, err := t.Head(string(id))
			if h != nil {
				head, found = *h, true
			}
			return err
		}
		return nil
	})
	return head, found, err
}
