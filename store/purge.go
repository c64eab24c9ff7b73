package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
)

// Purge erases the credentials whose time has run out at now, and forgets old
// Idempotency-Keys. Call it from time to time, see NextPurge; Open does it too.
func (s *Store) Purge(ctx context.Context, now time.Time) error {
	over, err := kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (over []string, err error) {
		for batch, kept := range t.KeptBatches() {
			if kept.Over(now) {
				over = append(over, string(batch))
			}
		}
		return over, nil
	})
	if err == nil {
		err = s.ForgetBatches(ctx, over...)
	}
	return errors.Join(err, s.forgetReplays(ctx, now))
}

// NextPurge is when the time of the first credentials runs out, of batches that
// have ended by now. Zero: there are none.
func (s *Store) NextPurge(ctx context.Context) (next time.Time, err error) {
	err = s.View(ctx, func(t *inventory.Tx) error {
		for _, kept := range t.KeptBatches() {
			if !kept.Until.IsZero() && (next.IsZero() || kept.Until.Before(next)) {
				next = kept.Until
			}
		}
		return nil
	})
	return next, err
}

// forgetIfOver forgets at once what is not to be kept. The result is stored
// already, so a failure is left to the next Purge.
func (s *Store) forgetIfOver(ctx context.Context, over bool, batch string) {
	if !over {
		return
	}
	if err := s.ForgetBatches(context.WithoutCancel(ctx), batch); err != nil {
		s.o.Logger.Error("credentials not erased yet", "batch", batch, "error", err)
	}
}

const keepReplays = 24 * time.Hour

func isOver(r installer.Replay, now time.Time) bool { return !r.At.Add(keepReplays).After(now) }

// Replay returns what was answered to the request that had the key, as long as
// it is remembered: 24 hours at least. ErrNotFound.
func (s *Store) Replay(ctx context.Context, project, key string) (installer.Replay, error) {
	return kv.Read(ctx, s, func(t *inventory.Tx) (installer.Replay, error) {
		old := kv.GetRow[installer.Replay](t.Tx.Tx, bReplays, kv.Join(project, key))
		if old == nil || isOver(*old, s.o.Clock()) {
			return installer.Replay{}, kv.NotFound("Idempotency-Key", key)
		}
		return *old, nil
	})
}

func addReplay(t *inventory.Tx, project string, r installer.Replay, now time.Time) error {
	key := kv.Join(project, r.Key)
	if old := kv.GetRow[installer.Replay](t.Tx.Tx, bReplays, key); old != nil && !isOver(*old, now) {
		return fmt.Errorf("project %s: %w", project, installer.ErrKeyTaken)
	}
	r.At = now
	t.PutRow(bReplays, key, kv.Micros(now), r) // its number is its time, which is seen without decoding it
	return nil
}

// forgetReplays removes the keys that have been remembered long enough, so many at a
// time that nobody waits long for the transaction.
func (s *Store) forgetReplays(ctx context.Context, now time.Time) error {
	const most = 1000
	before := kv.Micros(now.Add(-keepReplays))
	for n := most; n == most; {
		err := s.Update(ctx, func(t *inventory.Tx) error {
			left := most
			n = t.DelAll(bReplays, func(yield func(key, row []byte) bool) {
				for key, row := range t.All(bReplays, nil) {
					if kv.RowNumber(row) >= before {
						continue
					}
					if left--; !yield(key, row) || left == 0 {
						return
					}
				}
			})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
