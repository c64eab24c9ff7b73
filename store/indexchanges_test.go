package store

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// The stacks that are made of an older tripod's state are those that would be there:
// by the time, and what ended at the same time by its number.
func TestIndexChangesMakesTheSameStacks(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	for n, at := range []time.Duration{time.Minute, time.Minute, 2 * time.Minute, time.Hour} {
		submit(t, s, batch(string(rune('A'+n)), "h1", "h2"))
		for range 2 {
			inv := claim(t, s, t0, "")
			require.NoError(t, s.Finish(t.Context(), inv.Ref(), installer.Transition{State: installer.Succeeded, EndAttempt: true, At: t0.Add(at),
				Outcome: installer.Outcome{Agent: installer.AgentRunning, TargetVersion: "2.7.2"}}))
		}
	}
	stacks := func(t *tx) map[string]string {
		all := map[string]string{}
		for k, id := range t.all(bChanges, nil) {
			all[string(k)] = string(id)
		}
		return all
	}
	require.NoError(t, s.update(t.Context(), func(tx *tx) error {
		want := stacks(tx)
		require.Len(t, want, 8)
		for k := range maps.Keys(want) {
			tx.del(bChanges, []byte(k))
		}
		require.Empty(t, stacks(tx))
		if err := tx.indexChanges(); err != nil {
			return err
		}
		assert.Equal(t, want, stacks(tx))
		return nil
	}))
}
