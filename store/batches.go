package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"tripod/installer"
	"tripod/store/kv"
)

func printKey(project, fingerprint string) []byte {
	sum := sha256.Sum256([]byte(fingerprint))
	return kv.Join(project, hex.EncodeToString(sum[:]))
}

// batchRow is a batch's head as it is stored.
type batchRow struct {
	installer.BatchHead
	Keep retention `json:"keep"` // of its credentials
}

func (t *tx) addHead(h installer.BatchHead, keep retention, first *record, count stateCounts) {
	h.Created, h.Total, h.Open, h.ByState = first.Created, 0, 0, nil // the counts have a table of their own
	t.PutRow(bHeads, []byte(h.ID), first.seq, batchRow{h, keep})
	t.Put(bCounts, []byte(h.ID), count.encode())
	t.Put(bHeadList, kv.Stamped(kv.Join(h.ProjectID), h.Created, first.seq), []byte(h.ID))
	if h.Fingerprint != "" {
		t.Put(bPrints, kv.Stamped(printKey(h.ProjectID, h.Fingerprint), h.Created, first.seq), []byte(h.ID))
	}
}

// head returns a batch's head, or nil.
func (t *tx) head(id string) (*installer.BatchHead, error) {
	row := t.Get(bHeads, []byte(id))
	if row == nil {
		return nil, nil
	}
	var h installer.BatchHead
	if _, err := kv.ReadRow(row, &h); err != nil {
		return nil, err
	}
	t.counts(id).fill(&h)
	return &h, nil
}

// Batch implements installer.Ledger.
func (s *Store) Batch(ctx context.Context, project, id string) (head installer.BatchHead, err error) {
	err = s.view(ctx, func(t *tx) error {
		h, err := t.head(id)
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
		for _, id := range t.AllBackwards(bHeadList, kv.Join(project)) {
			h, err := t.head(string(id))
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
		for _, id := range t.AllBackwards(bPrints, printKey(project, fingerprint)) {
			if t.counts(string(id)).open() == 0 {
				continue
			}
			h, err := t.head(string(id))
			if h != nil {
				head, found = *h, true
			}
			return err
		}
		return nil
	})
	return head, found, err
}
