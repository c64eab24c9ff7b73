package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/engine"
)

// TestSupersededForGood: what nothing undoes is told apart, since to roll it back
// first is no way.
func TestSupersededForGood(t *testing.T) {
	t.Parallel()
	spec := installer.Spec{Target: installer.TargetTelescope}
	for name, later := range map[string]struct {
		script *installer.BlobRef
		found  string
	}{
		"a script of one's own":    {script: &installer.BlobRef{SHA256: "aa", Name: "job.sh"}},
		"an agent without version": {found: installer.VersionUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTest(t, Options{})
			h := newHistory(t, s)
			h.did("install", installer.Install, "", "1")
			h.did("update", installer.Update, "1", "2")
			require.NoError(t, h.rollback("waits", "update"))
			own := installer.Invocation{Type: installer.Install, Spec: spec}
			own.Spec.Script = later.script
			require.NoError(t, h.submit("later", own))
			h.end("later", installer.Succeeded, installer.Outcome{Changed: true, CurrentVersion: later.found})

			update := h.read("update")
			assert.True(t, update.SupersededForGood)
			require.EqualError(t, installer.Allow(installer.Rollback, &update), "no ROLLBACK: nothing undoes the later later: use INSTALL or UPDATE")
			waits := claim(t, s, t0, "waits")
			require.NotNil(t, waits)
			assert.Equal(t, "later", waits.Superseded)
			assert.True(t, waits.SupersededForGood)
			require.NoError(t, s.Finish(t.Context(), waits.Ref(), engine.Next(waits, engine.End{Err: installer.Fail(installer.KindSuperseded, "x")}, t0)))
			back := h.read("waits")
			require.EqualError(t, installer.Allow(installer.Retry, &back), "no RETRY: nothing undoes the later later: use INSTALL or UPDATE")

			// One that can be undone is told as before.
			h.did("next", installer.Update, "2", "3")
			h.refused("update", "next")
			update = h.read("update")
			assert.False(t, update.SupersededForGood)
		})
	}
}
