package store

import (
	"bytes"
	"context"
	"encoding/binary"
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

type storedReplay struct {
	installer.Replay
	Stamp []byte `json:"stamp"`
}

func (r *storedReplay) over(now time.Time) bool { return !r.At.Add(keepReplays).After(now) }

// Replay returns what was answered to the request that had the key, as long as
// it is remembered: 24 hours at least. ErrNotFound.
func (s *Store) Replay(ctx context.Context, project, key string) (installer.Replay, error) {
	return kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (installer.Replay, error) {
		old := kv.GetRow[storedReplay](t.Tx.Tx, bReplays, kv.Join(project, key))
		if old == nil || old.over(s.o.Clock()) {
			return installer.Replay{}, kv.NotFound("Idempotency-Key", key)
		}
		return old.Replay, nil
	})
}

func addReplay(t *inventory.Tx, project string, r installer.Replay, now time.Time, seq uint64) error {
	key := kv.Join(project, r.Key)
	old := kv.GetRow[storedReplay](t.Tx.Tx, bReplays, key)
	if old != nil {
		if !old.over(now) {
			return fmt.Errorf("project %s: %w", project, installer.ErrKeyTaken)
		}
		t.Del(bReplayAge, old.Stamp)
	}
	r.At = now
	stored := storedReplay{r, kv.Stamped(nil, now, seq)}
	t.PutRow(bReplays, key, seq, stored)
	t.Put(bReplayAge, stored.Stamp, key)
	return nil
}

// forgetReplays removes the keys that have been remembered long enough, the
// oldest first, so many at a time that nobody waits long for the transaction.
func (s *Store) forgetReplays(ctx context.Context, now time.Time) error {
	const most = 1000
	for {
		var stamps [][]byte
		err := s.Update(ctx, func(t *inventory.Tx) error {
			stamps = nil
			for stamp, key := range t.All(bReplayAge, nil) {
				if len(stamps) == most || !kv.FromMicros(binary.BigEndian.Uint64(stamp)).Add(keepReplays).Before(now) {
					break
				}
				stamps = append(stamps, bytes.Clone(stamp))
				t.Del(bReplays, bytes.Clone(key))
			}
			for _, stamp := range stamps {
				t.Del(bReplayAge, stamp)
			}
			return nil
		})
		if err != nil || len(stamps) < most {
			return err
		}
	}
}
