package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"tripod/installer"
)

func printKey(project, fingerprint string) []byte {
	sum := sha256.Sum256([]byte(fingerprint))
	return join(project, hex.EncodeToString(sum[:]))
}

// batchRow is a batch's head as it is stored.
type batchRow struct {
	installer.BatchHead
	// Keep is how long its credentials are kept; nil: an older tripod stored it.
	Keep *keepRule `json:"keep,omitempty"`
}

func (t *tx) addHead(h installer.BatchHead, keep keepRule, first *record, count tally) {
	h.Created, h.Total, h.Open, h.ByState = first.Created, 0, 0, nil // the counts live in the tally
	t.putRow(bHeads, []byte(h.ID), first.seq, batchRow{h, &keep})
	t.put(bTally, []byte(h.ID), count.encode())
	t.put(bHeadList, stamped(join(h.ProjectID), h.Created, first.seq), []byte(h.ID))
	if h.Fingerprint != "" {
		t.put(bPrints, stamped(printKey(h.ProjectID, h.Fingerprint), h.Created, first.seq), []byte(h.ID))
	}
}

// head returns a batch's head, or nil.
func (t *tx) head(id string) (*installer.BatchHead, error) {
	row := t.get(bHeads, []byte(id))
	if row == nil {
		return nil, nil
	}
	var h installer.BatchHead
	if _, err := readRow(row, &h); err != nil {
		return nil, err
	}
	t.tally(id).fill(&h)
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
			return notFound("batch", id)
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
		for _, id := range t.allBackwards(bHeadList, join(project)) {
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
		for _, id := range t.allBackwards(bPrints, printKey(project, fingerprint)) {
			if t.tally(string(id)).open() == 0 {
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
