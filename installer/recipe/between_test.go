package recipe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// An INSTALL fails on an empty host, and others bring the agent. The RETRY finds
// what they brought: that is not its own, and to roll it back would uninstall it.
func TestRetryDoesNotClaimWhatALaterTaskBrought(t *testing.T) {
	t.Parallel()
	tr := newTripod(t)
	tr.extra = killedInstall
	failed := tr.do("failed", installer.Invocation{Type: installer.Install, Spec: tr.packages("2.0.0")})
	require.Equal(t, installer.Failed, failed.State)
	require.True(t, failed.Changed)
	require.Empty(t, failed.CurrentVersion)
	require.Eventually(t, func() bool { return tr.agents() == 2 }, time.Minute, 20*time.Millisecond, "it comes up")

	tr.extra = ""
	tr.succeeds("down", installer.Invocation{Type: installer.Install, Spec: tr.packages("1.0.0")})
	tr.succeeds("up", installer.Invocation{Type: installer.Update, Spec: tr.packages("2.0.0")})
	retry := tr.succeeds("retry", installer.RetryOf(failed))
	assert.True(t, retry.Skipped)
	assert.Equal(t, "2.0.0", retry.CurrentVersion)
	require.ErrorContains(t, installer.Allow(installer.Rollback, retry), "it changed nothing")
	up := tr.read("up")
	assert.NoError(t, installer.Allow(installer.Rollback, up), "it is the last change")
}
