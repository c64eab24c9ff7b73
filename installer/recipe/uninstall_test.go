package recipe

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// TestUninstall: the agent goes, by whomever it was installed, and so does a service without an agent.
// Nothing before it can be rolled back then.
func TestUninstall(t *testing.T) {
	t.Parallel()
	tr := newTripod(t)
	uninstall := installer.Invocation{Type: installer.Uninstall}
	install := tr.succeeds("install", installer.Invocation{Type: installer.Install, Spec: tr.packages("1.0.0")})
	script := tr.srv.Path("etc/init.d/telescoped")
	service, err := os.ReadFile(script)
	require.NoError(t, err)

	tr.extra = "case $0 in */uninstall.sh) remove_agent() { return 1; } ;; esac\n"
	failed := tr.do("failed", uninstall)
	require.Equal(t, installer.Failed, failed.State)
	assert.Equal(t, installer.KindScriptFailed, failed.Kind)
	assert.Contains(t, failed.Message, "uninstall.sh exited with code 14")
	tr.extra = ""
	retry := tr.succeeds("retry", installer.RetryOf(failed))
	assert.Equal(t, "1.0.0", retry.CurrentVersion)
	assert.Empty(t, retry.TargetVersion)
	assert.Equal(t, installer.AgentNone, retry.Agent)
	assert.Zero(t, tr.agents())
	_, _, err = tr.store.FollowUp(t.Context(), installer.Rollback, install)
	require.ErrorIs(t, err, installer.ErrSuperseded)
	assert.ErrorContains(t, err, "nothing undoes the later retry")

	nothing := tr.succeeds("nothing", uninstall)
	assert.True(t, nothing.Skipped)
	assert.Equal(t, "nothing to remove: there is no agent", nothing.Message)
	ran := tr.ran()
	require.NoError(t, os.WriteFile(script, service, 0o755))
	left := tr.succeeds("left", uninstall)
	assert.False(t, left.Skipped, "a service without an agent is something")
	assert.NoFileExists(t, script)
	assert.Equal(t, ran+"x", tr.ran())
}
