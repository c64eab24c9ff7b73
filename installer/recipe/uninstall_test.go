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

// TestPurge: nothing of Tripod stays on the host, wherever it has once worked, unless another task is at work there.
func TestPurge(t *testing.T) {
	t.Parallel()
	tr := newTripod(t)
	purge := installer.Invocation{Type: installer.Uninstall, Spec: installer.Spec{Purge: true}}
	tr.succeeds("install", installer.Invocation{Type: installer.Install, Spec: tr.packages("1.0.0")})
	tr.succeeds("update", installer.Invocation{Type: installer.Update, Spec: tr.packages("2.0.0")})
	folder, earlier := tr.srv.Path("var/lib/tripod"), tr.srv.Path("opt/tripod")
	require.DirExists(t, folder+"/kept/telescope")
	for _, dir := range []string{folder + "/runs/another", earlier + "/kept/telescope/tree", earlier + "/kept/telescope.gone.7", earlier + "/files"} {
		require.NoError(t, os.MkdirAll(dir, 0o700))
	}
	gone := tr.succeeds("purge", purge)
	assert.Equal(t, "uninstalled: nothing of the agent is left; kept versions are removed; other files of Tripod are left in "+folder, gone.Message)
	assert.NoDirExists(t, folder+"/kept")
	assert.DirExists(t, folder+"/runs/another")
	assert.NoDirExists(t, earlier)

	require.NoError(t, os.Remove(folder+"/runs/another"))
	require.NoError(t, os.MkdirAll(earlier+"/kept/telescope.next", 0o700))
	gone = tr.succeeds("purge-2", purge)
	assert.Equal(t, "uninstalled: nothing of the agent is left; kept versions and sent files are removed", gone.Message)
	assert.NoDirExists(t, folder)
	assert.NoDirExists(t, earlier)
	assert.True(t, tr.succeeds("purge-3", purge).Skipped)
	assert.NoDirExists(t, folder)
}
