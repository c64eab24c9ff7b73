package tasks

import (
	"crypto/sha256"
	"encoding/hex"

	"tripod/installer"
	"tripod/store/kv"
)

// PrintKey is the beginning of the keys of batches with a fingerprint.
func PrintKey(project, fingerprint string) []byte {
	sum := sha256.Sum256([]byte(fingerprint))
	return kv.Join(project, hex.EncodeToString(sum[:]))
}

// batchRow is a batch's head as it is stored.
type batchRow struct {
	installer.BatchHead
	Keep Retention `json:"keep"` // of its credentials
}

// AddHead stores the head of a new batch.
func (t Tx) AddHead(h installer.BatchHead, keep Retention, first *Record, count StateCounts) {
	h.Created, h.Total, h.Open, h.ByState = first.Created, 0, 0, nil // the counts have a table of their own
	t.PutRow(THeads, []byte(h.ID), first.Seq, batchRow{h, keep})
	t.Put(TCounts, []byte(h.ID), count.encode())
	t.Put(THeadList, kv.Stamped(kv.Join(h.ProjectID), h.Created, first.Seq), []byte(h.ID))
	if h.Fingerprint != "" {
		t.Put(TPrints, kv.Stamped(PrintKey(h.ProjectID, h.Fingerprint), h.Created, first.Seq), []byte(h.ID))
	}
}

// Head returns a batch's head, or nil.
func (t Tx) Head(id string) (*installer.BatchHead, error) {
	row := t.Get(THeads, []byte(id))
	if row == nil {
		return nil, nil
	}
	var h installer.BatchHead
	if _, err := kv.ReadRow(row, &h); err != nil {
		return nil, err
	}
	t.Counts(id).fill(&h)
	return &h, nil
}
