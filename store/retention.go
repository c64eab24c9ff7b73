package store

import (
	"bytes"
	"time"

	"tripod/store/kv"
)

// How long credentials are kept is the rule of the batch that they came with, and
// is stored with it: another process on this folder, or this one when it is
// started anew with another rule, keeps nothing longer than was said when it was
// handed over, and erases nothing earlier.

// retention says how long credentials can be opened after their batch has ended.
type retention struct {
	Succeeded time.Duration `json:"succeeded"` // nanoseconds, if all of it succeeded; 0: not at all
	Other     time.Duration `json:"other"`     // nanoseconds, otherwise
}

// retention is that of the batches which this process stores.
func (o Options) retention() retention { return retention{o.KeepSucceeded, o.KeepOther} }

// until is when the credentials of a batch can no longer be opened that ends at this
// time.
func (r retention) until(end time.Time, succeeded bool) time.Time {
	if succeeded {
		return end.Add(r.Succeeded)
	}
	return end.Add(r.Other)
}

// keptUntil is a batch's row as long as logins of it are sealed.
type keptUntil struct {
	Until time.Time `json:"until,omitzero"` // zero: it has not ended
}

func (k keptUntil) over(now time.Time) bool { return !k.Until.IsZero() && !k.Until.After(now) }

// endBatch notes, once nothing of the batch is open, until when its logins are
// kept. over: they are not to be kept at all.
func (t *tx) endBatch(batch string, at time.Time) (over bool, err error) {
	count := t.counts(batch)
	if count.open() > 0 || t.Get(bKept, []byte(batch)) == nil {
		return false, nil
	}
	var head batchRow
	if _, err := kv.ReadRow(t.Get(bHeads, []byte(batch)), &head); err != nil {
		return false, err
	}
	kept := keptUntil{head.Keep.until(at, count.allSucceeded())}
	t.PutRow(bKept, []byte(batch), 0, kept)
	return kept.over(at), nil
}

// isOver reports whether the time of a batch's logins has run out, erased or not.
func (t *tx) isOver(batch string, now time.Time) (bool, error) {
	row := t.Get(bKept, []byte(batch))
	if row == nil {
		return false, nil
	}
	var kept keptUntil
	_, err := kv.ReadRow(row, &kept)
	return kept.over(now), err
}

// keptBatches walks the batches of which logins are sealed.
func (t *tx) keptBatches(do func(batch string, k keptUntil)) error {
	for batch, row := range t.All(bKept, nil) {
		var kept keptUntil
		if _, err := kv.ReadRow(row, &kept); err != nil {
			return err
		}
		do(string(batch), kept)
	}
	return nil
}

// loginsOf are the keys of a batch's logins, with those themselves.
func (t *tx) loginsOf(batch string) (keys, sealed [][]byte) {
	for key, value := range t.All(bSealed, kv.Join(batch)) {
		keys, sealed = append(keys, bytes.Clone(key)), append(sealed, bytes.Clone(value))
	}
	return keys, sealed
}
