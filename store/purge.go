package store

import (
	"context"
	"errors"
	"time"

	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// Purge erases the credentials whose time has run out at now, and forgets old
// Idempotency-Keys. Call it from time to time, see NextPurge; Open does it too.
func (s *Store) Purge(ctx context.Context, now time.Time) error {
	over, err := kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (over []string, err error) {
		err = t.KeptBatches(func(batch string, k tasks.KeptUntil) {
			if k.Over(now) {
				over = append(over, batch)
			}
		})
		return over, err
	})
	if err == nil {
		err = s.ForgetBatches(ctx, over...)
	}
	return errors.Join(err, s.forgetReplays(ctx, now))
}

// NextPurge is when the time of the first credentials runs out, of batches that
// have ended by now. Zero: there are none.
func (s *Store) NextPurge(ctx context.Context) (next time.Time, err error) {
	err = s.view(ctx, func(t *tx) error {
		return t.KeptBatches(func(_ string, k tasks.KeptUntil) {
			if !k.Until.IsZero() && (next.IsZero() || k.Until.Before(next)) {
				next = k.Until
			}
		})
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
