package store

import "time"

// How long credentials are kept is the rule of the batch that they came with, and
// is stored with it: another process on this folder, or this one when it is
// started anew with another rule, keeps nothing longer than was said when it was
// handed over, and erases nothing earlier.

// keepRule says how long credentials can be opened after their batch has ended.
type keepRule struct {
	Succeeded time.Duration `json:"succeeded"` // nanoseconds, if all of it succeeded; 0: not at all
	Other     time.Duration `json:"other"`     // nanoseconds, otherwise
}

// rule is that of the batches which this process stores.
func (o Options) rule() keepRule { return keepRule{o.KeepSucceeded, o.KeepOther} }

// keepRule is the batch's. One that an older tripod stored has none: that of this
// process counts then.
func (s *Store) keepRule(t *tx, batch string) (keepRule, error) {
	row := t.get(bHeads, []byte(batch))
	if row == nil {
		return s.o.rule(), nil
	}
	var b batchRow
	if _, err := readRow(row, &b); err != nil || b.Keep == nil {
		return s.o.rule(), err
	}
	return *b.Keep, nil
}

// endOf is when the epoch's credentials can no longer be opened. Zero: nobody
// knows yet, or they are bound to a host and not to a batch.
func (s *Store) endOf(t *tx, e epoch) (time.Time, error) {
	if e.Installer || e.Hosts || e.Ended.IsZero() {
		return time.Time{}, nil
	}
	rule, err := s.keepRule(t, e.ID)
	if err != nil {
		return time.Time{}, err
	}
	if e.Succeeded {
		return e.Ended.Add(rule.Succeeded), nil
	}
	return e.Ended.Add(rule.Other), nil
}

// over reports whether the epoch's time has run out at now, erased or not.
func (s *Store) over(t *tx, e epoch, now time.Time) (bool, error) {
	end, err := s.endOf(t, e)
	return err == nil && !end.IsZero() && !end.After(now), err
}
