package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
)

// keepReplays is how long an Idempotency-Key is remembered.
const keepReplays = 24 * time.Hour

// storedReplay is an answer, and where it stands in the order of age.
type storedReplay struct {
	installer.Replay
	Stamp []byte `json:"stamp"`
}

func (r *storedReplay) over(now time.Time) bool { return !r.At.Add(keepReplays).After(now) }

// Replay returns what was answered to the request that had the key, as long as
// it is remembered: 24 hours at least. ErrNotFound.
func (s *Store) Replay(ctx context.Context, project, key string) (installer.Replay, error) {
	return kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (installer.Replay, error) {
		old, err := kv.GetRow[storedReplay](t.Tx.Tx, bReplays, kv.Join(project, key))
		if err == nil && (old == nil || old.over(s.o.Clock())) {
			err = kv.NotFound("Idempotency-Key", key)
		}
		if err != nil {
			return installer.Replay{}, err
		}
		return old.Replay, nil
	})
}

// addReplay takes the key for a batch that is being submitted. ErrKeyTaken.
func (t *tx) addReplay(project string, r installer.Replay, now time.Time, seq uint64) error {
	key := kv.Join(project, r.Key)
	old, err := kv.GetRow[storedReplay](t.Tx.Tx.Tx, bReplays, key)
	if err != nil {
		return err
	}
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
		err := s.update(ctx, func(t *tx) error {
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
