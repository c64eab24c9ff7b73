package tasks

import (
	"time"

	"tripod/store/kv"
)

// How long credentials are kept is the rule of the batch that they came with, and
// is stored with it: another process on this folder, or this one when it is
// started anew with another rule, keeps nothing longer than was said when it was
// handed over, and erases nothing earlier.

// Retention says how long credentials can be opened after their batch has ended.
type Retention struct {
	Succeeded time.Duration `json:"succeeded"` // nanoseconds, if all of it succeeded; 0: not at all
	Other     time.Duration `json:"other"`     // nanoseconds, otherwise
}

// until is when the credentials of a batch can no longer be opened that ends at this
// time.
func (r Retention) until(end time.Time, succeeded bool) time.Time {
	if succeeded {
		return end.Add(r.Succeeded)
	}
	return end.Add(r.Other)
}

// KeptUntil is a batch's row as long as logins of it are sealed.
type KeptUntil struct {
	Until time.Time `json:"until,omitzero"` // zero: it has not ended
}

// Over reports whether that time has come.
func (k KeptUntil) Over(now time.Time) bool { return !k.Until.IsZero() && !k.Until.After(now) }

// EndBatch notes, once nothing of the batch is open, until when its logins are
// kept. over: they are not to be kept at all.
func (t Tx) EndBatch(batch string, at time.Time) (over bool, err error) {
	count := t.Counts(batch)
	if count.Open() > 0 || t.Get(TKept, []byte(batch)) == nil {
		return false, nil
	}
	var head batchRow
	if _, err := kv.ReadRow(t.Get(THeads, []byte(batch)), &head); err != nil {
		return false, err
	}
	kept := KeptUntil{head.Keep.until(at, count.allSucceeded())}
	t.PutRow(TKept, []byte(batch), 0, kept)
	return kept.Over(at), nil
}

// IsOver reports whether the time of a batch's logins has run out, erased or not.
func (t Tx) IsOver(batch string, now time.Time) (bool, error) {
	row := t.Get(TKept, []byte(batch))
	if row == nil {
		return false, nil
	}
	var kept KeptUntil
	_, err := kv.ReadRow(row, &kept)
	return kept.Over(now), err
}

// KeptBatches walks the batches of which logins are sealed.
func (t Tx) KeptBatches(do func(batch string, k KeptUntil)) error {
	for batch, row := range t.All(TKept, nil) {
		var kept KeptUntil
		if _, err := kv.ReadRow(row, &kept); err != nil {
			return err
		}
		do(string(batch), kept)
	}
	return nil
}
