package store

import (
	"context"
	"errors"
	"time"

	"tripod/installer"
	"tripod/store/disk"
)

// Purge erases the credentials whose time has run out at now, and forgets old
// Idempotency-Keys. Call it from time to time, see NextPurge; Open does it too.
func (s *Store) Purge(ctx context.Context, now time.Time) error {
	var over []string
	err := s.view(ctx, func(t *tx) error {
		over = nil
		return t.keptBatches(func(batch string, k keptUntil) {
			if k.over(now) {
				over = append(over, batch)
			}
		})
	})
	if err == nil {
		err = s.forgetBatches(ctx, over...)
	}
	return errors.Join(err, s.forgetReplays(ctx, now))
}

// NextPurge is when the time of the first credentials runs out, of batches that
// have ended by now. Zero: there are none.
func (s *Store) NextPurge(ctx context.Context) (time.Time, error) {
	var next time.Time
	err := s.view(ctx, func(t *tx) error {
		next = time.Time{}
		return t.keptBatches(func(_ string, k keptUntil) {
			if !k.Until.IsZero() && (next.IsZero() || k.Until.Before(next)) {
				next = k.Until
			}
		})
	})
	return next, err
}

// forgetBatches forgets all logins of batches. Their keys go first, with one sync
// for all of them: the rows are only tidied away after it, and a crash in between
// is made good by the next Purge.
func (s *Store) forgetBatches(ctx context.Context, batches ...string) error {
	if s.o.ReadOnly {
		return disk.ErrReadOnly
	}
	var sealed [][]byte
	err := s.view(ctx, func(t *tx) error {
		sealed = nil
		for _, batch := range batches {
			_, values := t.loginsOf(batch)
			sealed = append(sealed, values...)
		}
		return nil
	})
	if err == nil {
		err = s.vault.Forget(sealed...) // and what could not be forgotten before
	}
	if err != nil || len(batches) == 0 {
		return err
	}
	s.o.Logger.Debug("credentials erased", "batches", batches, "logins", len(sealed))
	return s.update(ctx, func(t *tx) error {
		for _, batch := range batches {
			keys, _ := t.loginsOf(batch)
			for _, key := range keys {
				t.dropLogin(key)
			}
			t.Del(bKept, []byte(batch))
		}
		return nil
	})
}

// forgetIfOver forgets at once what is not to be kept. The result is stored
// already, so a failure is left to the next Purge.
func (s *Store) forgetIfOver(ctx context.Context, over bool, batch string) {
	if !over {
		return
	}
	if err := s.forgetBatches(context.WithoutCancel(ctx), batch); err != nil {
		s.o.Logger.Error("credentials not erased yet", "batch", batch, "error", err)
	}
}

// forget erases the keys that no row needs any more. One that cannot be overwritten
// is tried again by the next Purge.
func (s *Store) forget(keys ...[]byte) {
	if err := s.vault.Forget(keys...); err != nil {
		s.o.Logger.Error("unneeded login keys are not erased yet", "keys", len(keys), "error", err)
	}
}

// abandon forgets new keys that were not used, because of why. After a commit of
// which nobody knows whether it took place, the next Open decides.
func (s *Store) abandon(why error, keys ...[]byte) {
	if len(keys) == 0 || errors.Is(why, installer.ErrStorage) && !disk.Curable(why) {
		return
	}
	s.forget(keys...)
}

// tidyKeys forgets the keys that a crash left behind without rows, and what is due.
func (s *Store) tidyKeys(ctx context.Context) error {
	err := s.view(ctx, func(t *tx) error {
		return s.vault.ForgetAllBut(func(yield func([]byte) bool) {
			for _, sealed := range t.All(bSealed, nil) {
				if !yield(sealed) {
					return
				}
			}
		})
	})
	return errors.Join(err, s.Purge(ctx, s.o.Clock()))
}
