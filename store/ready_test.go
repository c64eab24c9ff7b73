package store

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/engine"
	"tripod/store/storetest"
)

// TestAnInterruptedAttemptGoesOnFirst: what waits for a host, since before or
// after an attempt began there, is not worked on before that attempt, whose
// script may still run, when the process has died or was stopped in between.
func TestAnInterruptedAttemptGoesOnFirst(t *testing.T) {
	t.Parallel()
	ends := map[string]engine.End{
		"killed":   {Crashed: true},
		"shutdown": {Err: installer.ErrShutdown, Cause: installer.ErrShutdown},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(storetest.Dir(t), "state")
			s, err := Open(dir, Options{Clock: func() time.Time { return t0 }})
			require.NoError(t, err)
			submit(t, s, batch("B1", "h1"))
			waits := func(id string, created time.Time) {
				later := batch(id, "h1")
				later.Created = created
				submit(t, s, later)
			}
			waits("B2", t0.Add(time.Second))
			started := t0.Add(2 * time.Second)
			under := claim(t, s, started, "")
			waits("B3", t0.Add(3*time.Second))
			require.Nil(t, claim(t, s, started.Add(time.Second), ""), "its turn has not come")
			require.NoError(t, s.Close())

			s = openTest(t, dir, Options{})
			again := t0.Add(time.Minute)
			orphans, err := s.Orphans(t.Context())
			require.NoError(t, err)
			require.Len(t, orphans, 1)
			require.NoError(t, s.Finish(t.Context(), orphans[0].Ref(), engine.Next(&orphans[0], end, again)))
			first := claim(t, s, again, "")
			require.NotNil(t, first)
			require.Equal(t, under.ID, first.ID)
			require.Nil(t, claim(t, s, again, ""))
		})
	}
}
