package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// TestAFailedTasksWorkIsReplaced: once a later task has changed the host, what is on
// it is not what the failed one has left, neither for its RETRY nor for its own next
// attempt; where the later one is undone, it is again.
func TestAFailedTasksWorkIsReplaced(t *testing.T) {
	t.Parallel()
	changed := installer.Outcome{Changed: true, TargetVersion: "2"}
	failing := installer.Invocation{Type: installer.Install, Spec: installer.Spec{Target: installer.TargetTelescope}}
	for _, route := range []string{"retry", "attempt"} {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			s := newTest(t, Options{})
			h := newHistory(t, s)
			h.did("before", installer.Install, "", "0")
			require.NoError(t, h.submit("failing", failing))
			next := "failing"
			if route == "attempt" {
				h.end("failing", installer.Pending, changed)
			} else {
				failed := h.end("failing", installer.Failed, changed)
				next = "again"
				require.NoError(t, h.submit("again", installer.RetryOf(&failed)))
			}
			inv := claim(t, s, t0, next)
			assert.True(t, inv.Changed, "nothing came in between")
			assert.Equal(t, "2", inv.TargetVersion)
			require.NoError(t, s.Finish(t.Context(), inv.Ref(), installer.Transition{State: installer.Pending, EndAttempt: true, At: t0, Outcome: inv.Outcome}))

			h.did("later", installer.Update, "2", "3")
			inv = claim(t, s, t0, next)
			assert.False(t, inv.Changed)
			assert.Equal(t, installer.VersionUnknown, inv.CurrentVersion)
			assert.Empty(t, inv.TargetVersion)
			require.NoError(t, s.Finish(t.Context(), inv.Ref(), installer.Transition{State: installer.Failed, EndAttempt: true, At: t0}))
		})
	}

	h := newHistory(t, newTest(t, Options{}))
	require.NoError(t, h.submit("failing", failing))
	failed := h.end("failing", installer.Failed, changed)
	h.did("later", installer.Update, "2", "3")
	require.NoError(t, h.rollback("back", "later"))
	h.end("back", installer.Succeeded, installer.Outcome{})
	require.NoError(t, h.submit("again", installer.RetryOf(&failed)))
	assert.True(t, claim(t, h.s, t0, "again").Changed)
}
