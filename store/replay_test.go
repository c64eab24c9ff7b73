package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/storetest"
)

func keyed(id, key, answer string) installer.Batch {
	b := batch(id, "h1", "h2")
	b.Replay = &installer.Replay{Key: key, Body: "sum of " + answer, Answer: []byte(answer)}
	return b
}

// TestA17ReplayIsStoredWithItsBatch: both, or neither, and after a reopening
// too.
func TestA17ReplayIsStoredWithItsBatch(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(storetest.Dir(t), "state")
	now := t0
	o := Options{Clock: func() time.Time { return now }}
	s, err := Open(dir, o)
	require.NoError(t, err)
	require.NoError(t, s.Submit(t.Context(), keyed("B1", "key", "one")))
	require.ErrorIs(t, s.Submit(t.Context(), keyed("B2", "key", "two")), installer.ErrKeyTaken)
	require.NoError(t, s.Submit(t.Context(), keyed("B3", "other key ~!\"", "three")))

	taken := keyed("B1", "fresh", "four") // the batch's id is taken, so its key is not
	require.ErrorIs(t, s.Submit(t.Context(), taken), installer.ErrExists)
	_, err = s.Replay(t.Context(), project, "fresh")
	require.ErrorIs(t, err, installer.ErrNotFound)
	require.NoError(t, s.Close())

	s = openTest(t, dir, o)
	r, err := s.Replay(t.Context(), project, "key")
	require.NoError(t, err)
	assert.Equal(t, installer.Replay{Key: "key", Body: "sum of one", Answer: []byte("one"), At: t0}, r)
	_, err = s.Replay(t.Context(), "another-project", "key")
	require.ErrorIs(t, err, installer.ErrNotFound, "keys are a project's own")
	_, err = s.Batch(t.Context(), project, "B2")
	require.ErrorIs(t, err, installer.ErrNotFound)
	page, err := s.Invocations(t.Context(), installer.Filter{ProjectID: project})
	require.NoError(t, err)
	require.EqualValues(t, 4, page.Count)

	require.Equal(t, 24*time.Hour, keepReplays, "docs/api.md promises a day")
	now = t0.Add(keepReplays - time.Second)
	require.NoError(t, s.Purge(t.Context(), now))
	_, err = s.Replay(t.Context(), project, "key")
	require.NoError(t, err, "remembered for 24 hours")
	now = t0.Add(keepReplays)
	_, err = s.Replay(t.Context(), project, "key")
	require.ErrorIs(t, err, installer.ErrNotFound)

	// A key that is over can be taken again before anybody has tidied up.
	require.NoError(t, s.Submit(t.Context(), keyed("B4", "key", "later")))
	now = now.Add(time.Minute)
	require.NoError(t, s.Purge(t.Context(), now))
	r, err = s.Replay(t.Context(), project, "key")
	require.NoError(t, err)
	assert.Equal(t, "later", string(r.Answer))
	assert.Equal(t, 1, rows(t, s, bReplays), "the old ones are gone")
}

// TestA17OneKeyManyAtOnce: of many submissions under one key, in one
// transaction or several, exactly one is stored.
func TestA17OneKeyManyAtOnce(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	for round := range 5 {
		var stored, taken atomic.Int64
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				err := s.Submit(t.Context(), keyed(fmt.Sprintf("R%d-%d", round, i), fmt.Sprint("key ", round), fmt.Sprint(i)))
				switch {
				case err == nil:
					stored.Add(1)
				case errors.Is(err, installer.ErrKeyTaken):
					taken.Add(1)
				default:
					assert.NoError(t, err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, stored.Load())
		require.EqualValues(t, 7, taken.Load())
		page, err := s.Invocations(t.Context(), installer.Filter{ProjectID: project})
		require.NoError(t, err)
		require.EqualValues(t, 2*(round+1), page.Count)
	}
	assert.Equal(t, 10, keyCount(s), "no key without a batch is left behind")
}
