package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"tripod/installer"
	"tripod/store/kv"
)

// keepReplays is how long an Idempotency-Key is remembered.
const keepReplays = 24 * time.Hour

// storedReplay is an answer, and where it stands in the order of age.
type storedReplay struct {
	installer.Replay
	Stamp []byte `json:"stamp"`
}

// Replay returns what was answered to the request that had the key, as long as
// it is remembered: 24 hours at least. ErrNotFound.
func (s *Store) Replay(ctx context.Context, project, key string) (installer.Replay, error) {
	now := s.o.Clock()
	var found installer.Replay
	err := s.view(ctx, func(t *tx) error {
		old, err := t.replay(project, key)
		if err != nil {
			return err
		}
		if old == nil || old.over(now) {
			return kv.NotFound("Idempotency-Key", key)
		}
		found = old.Replay
		return nil
	})
	return found, err
}

func (r *storedReplay) over(now time.Time) bool { return !r.At.Add(keepReplays).After(now) }

func (t *tx) replay(project, key string) (*storedReplay, error) {
	row := t.Get(bReplays, kv.Join(project, key))
	if row == nil {
		return nil, nil
	}
	r := &storedReplay{}
	_, err := kv.ReadRow(row, r)
	return r, err
}

// addReplay takes the key for a batch that is being submitted. ErrKeyTaken.
func (t *tx) addReplay(project string, r installer.Replay, now time.Time, seq uint64) error {
	old, err := t.replay(project, r.Key)
	switch {
	case err != nil:
		return err
	case old != nil && !old.over(now):
		return fmt.Errorf("project %s: %w", project, installer.ErrKeyTaken)
	case old != nil:
		t.Del(bReplayAge, old.Stamp)
	}
	r.At = now
	stored := storedReplay{r, kv.Stamped(nil, now, seq)}
	key := kv.Join(project, r.Key)
	t.PutRow(bReplays, key, seq, stored)
	t.Put(bReplayAge, stored.Stamp, key)
	return nil
}

// checkReplay guards what becomes a part of a key.
func checkReplay(r *installer.Replay) error {
	if r == nil {
		return nil
	}
	return kv.CheckPart("Idempotency-Key", r.Key, 255)
}

// forgetReplays removes the keys that have been remembered long enough, the
// oldest first, so many at a time that nobody waits long for the transaction.
func (s *Store) forgetReplays(ctx context.Context, now time.Time) error {
	const most = 1000
	for {
		n := 0
		err := s.update(ctx, func(t *tx) error {
			n = 0
			var stamps, keys [][]byte
			for stamp, key := range t.All(bReplayAge, nil) {
				if len(stamps) == most || !kv.FromMicros(binary.BigEndian.Uint64(stamp)).Add(keepReplays).Before(now) {
					break
				}
				stamps, keys = append(stamps, bytes.Clone(stamp)), append(keys, bytes.Clone(key))
			}
			for i := range stamps {
				t.Del(bReplayAge, stamps[i])
				t.Del(bReplays, keys[i])
			}
			n = len(stamps)
			return nil
		})
		if err != nil || n < most {
			return err
		}
	}
}
