package tasks

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"maps"
	"time"

	"tripod/installer"
	"tripod/store/kv"
)

// PrintKey is the beginning of the keys of batches with a fingerprint.
func PrintKey(project, fingerprint string) []byte {
	sum := sha256.Sum256([]byte(fingerprint))
	return kv.Join(project, hex.EncodeToString(sum[:]))
}

type batchRow struct {
	installer.BatchHead
	Keep Retention `json:"keep"` // of its credentials
}

// AddHead stores the head of a new batch.
func (t Tx) AddHead(h installer.BatchHead, keep Retention, first *Record, count int) {
	h.Created, h.Total, h.Open, h.ByState = first.Created, 0, 0, nil // the counts have a table of their own
	t.PutRow(THeads, []byte(h.ID), first.Seq, batchRow{h, keep})
	t.AddCount(h.ID, installer.Pending, count)
	t.Put(THeadList, kv.Stamped(kv.Join(h.ProjectID), h.Created, first.Seq), []byte(h.ID))
	if h.Fingerprint != "" {
		t.Put(TPrints, kv.Stamped(PrintKey(h.ProjectID, h.Fingerprint), h.Created, first.Seq), []byte(h.ID))
	}
}

// Head returns a batch's head, or nil.
func (t Tx) Head(id string) *installer.BatchHead {
	row := kv.GetRow[batchRow](t.Tx, THeads, []byte(id))
	if row == nil {
		return nil
	}
	h := &row.BatchHead
	h.ByState = t.counts(id)
	h.Open = h.ByState[installer.Pending] + h.ByState[installer.Running]
	for _, n := range h.ByState {
		h.Total += n
	}
	return h
}

func (t Tx) counts(batch string) map[installer.State]int {
	if c := kv.GetRow[map[installer.State]int](t.Tx, TCounts, []byte(batch)); c != nil {
		return *c
	}
	return map[installer.State]int{}
}

// AddCount changes how many of a batch are in a state.
func (t Tx) AddCount(batch string, s installer.State, delta int) {
	c := t.counts(batch)
	c[s] += delta
	maps.DeleteFunc(c, func(_ installer.State, n int) bool { return n == 0 })
	t.PutRow(TCounts, []byte(batch), 0, c)
	if !s.Terminal() {
		t.SetSequence(TCounts, t.Sequence(TCounts)+uint64(delta))
	}
}

// Open is how many invocations have not ended, in all batches.
func (t Tx) Open() int { return int(t.Sequence(TCounts)) }

// Retention says how long credentials can be opened after their batch has ended. It is stored with the
// batch, so that another process, with another rule, keeps nothing longer and erases nothing earlier.
type Retention struct {
	Succeeded time.Duration `json:"succeeded"` // nanoseconds, if all of it succeeded; 0: not at all
	Other     time.Duration `json:"other"`     // nanoseconds, otherwise
}

// KeptUntil is a batch's row as long as logins of it are sealed.
type KeptUntil struct {
	Until time.Time `json:"until,omitzero"` // zero: it has not ended
}

// Over reports whether that time has come.
func (k KeptUntil) Over(now time.Time) bool { return !k.Until.IsZero() && !k.Until.After(now) }

// Keep notes that logins of a batch are sealed.
func (t Tx) Keep(batch string) {
	if t.Get(TKept, []byte(batch)) == nil {
		t.PutRow(TKept, []byte(batch), 0, KeptUntil{})
	}
}

// EndBatch notes, once nothing of the batch is open, until when its logins are
// kept. over: they are not to be kept at all.
func (t Tx) EndBatch(batch string, at time.Time) (over bool) {
	count := t.counts(batch)
	if count[installer.Pending]+count[installer.Running] > 0 || t.Get(TKept, []byte(batch)) == nil {
		return false
	}
	keep := kv.GetRow[batchRow](t.Tx, THeads, []byte(batch)).Keep
	kept := KeptUntil{at.Add(keep.Succeeded)}
	if count[installer.Failed]+count[installer.Timeout]+count[installer.Canceled] > 0 {
		kept = KeptUntil{at.Add(keep.Other)}
	}
	t.PutRow(TKept, []byte(batch), 0, kept)
	return kept.Over(at)
}

// IsOver reports whether the time of a batch's logins has run out, erased or not.
func (t Tx) IsOver(batch string, now time.Time) bool {
	kept := kv.GetRow[KeptUntil](t.Tx, TKept, []byte(batch))
	return kept != nil && kept.Over(now)
}

// KeptBatches are the batches of which logins are sealed.
func (t Tx) KeptBatches() iter.Seq2[[]byte, *KeptUntil] { return kv.Rows[KeptUntil](t.Tx, TKept, nil) }
