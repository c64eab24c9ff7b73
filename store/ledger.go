package store

import (
	"context"
	"io"
	"slices"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// Batch implements installer.Ledger.
func (s *Store) Batch(ctx context.Context, project, id string) (installer.BatchHead, error) {
	return kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (installer.BatchHead, error) {
		h := t.Head(id)
		if h == nil || h.ProjectID != project {
			return installer.BatchHead{}, kv.NotFound("batch", id)
		}
		return *h, nil
	})
}

// Batches implements installer.Ledger. n ≤ 0: all.
func (s *Store) Batches(ctx context.Context, project string, n int) ([]installer.BatchHead, error) {
	return kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (heads []installer.BatchHead, err error) {
		for _, id := range t.AllBackwards(tasks.THeadList, kv.Join(project)) {
			if heads = append(heads, *t.Head(string(id))); len(heads) == n {
				break
			}
		}
		return heads, nil
	})
}

// OpenBatch finds the newest batch with this fingerprint that has open
// invocations, and reports whether there is one.
func (s *Store) OpenBatch(ctx context.Context, project, fingerprint string) (installer.BatchHead, bool, error) {
	head, err := kv.Read(ctx, s, func(t *inventory.Tx) (*installer.BatchHead, error) {
		return openBatch(t, project, fingerprint), nil
	})
	if head == nil {
		return installer.BatchHead{}, false, err
	}
	return *head, true, err
}

func openBatch(t *inventory.Tx, project, fingerprint string) *installer.BatchHead {
	for _, id := range t.AllBackwards(tasks.TPrints, tasks.PrintKey(project, fingerprint)) {
		if h := t.Head(string(id)); h.Open > 0 {
			return h
		}
	}
	return nil
}

// Invocation implements installer.Ledger.
func (s *Store) Invocation(ctx context.Context, project, id string) (installer.Invocation, error) {
	return kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (installer.Invocation, error) { return read(t, project, id) })
}

func read(t *inventory.Tx, project, id string) (installer.Invocation, error) {
	r, err := t.LoadIn(project, id)
	if err != nil {
		return installer.Invocation{}, err
	}
	t.AddSteps(&r.Invocation)
	return r.Invocation, nil
}

// Log implements installer.Ledger.
func (s *Store) Log(ctx context.Context, project, id string) (io.ReadCloser, error) {
	r, err := kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (*tasks.Record, error) { return t.LoadIn(project, id) })
	if err != nil {
		return nil, err
	}
	return s.ReadLog(r.BatchID, r.ID)
}

const pageChunk = 256

// Invocations implements installer.Ledger. What is on the page is decided at one moment; a long page
// is read in several short transactions, so its items may have moved on.
func (s *Store) Invocations(ctx context.Context, f installer.Filter) (installer.Page, error) {
	page := installer.Page{Invocations: []installer.Invocation{}}
	if err := kv.CheckProject(f.ProjectID); err != nil {
		return page, err
	}
	ids, err := kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (ids []string, err error) {
		ids, page.Count = t.Pick(f)
		return ids, nil
	})
	if err != nil {
		return installer.Page{}, err
	}
	for chunk := range slices.Chunk(ids, pageChunk) {
		err := s.View(ctx, func(t *inventory.Tx) error {
			for _, id := range chunk {
				inv, err := read(t, f.ProjectID, id)
				if err != nil {
					return err
				}
				page.Invocations = append(page.Invocations, inv)
			}
			return nil
		})
		if err != nil {
			return installer.Page{}, err
		}
	}
	return page, nil
}
