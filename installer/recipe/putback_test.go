package recipe

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	standin "tripod/testdata/agent"
)

// An update that fails leaves the version before, and says so; one that was cut
// off is gone on from by whatever comes next, with the version that it found.
func TestFailedUpdatePutsBack(t *testing.T) {
	t.Parallel()
	b := installedBed(t)
	b.agent(standin.Options{Version: "2.0.0", Habit: "fails"})
	bad := installer.Spec{Packages: b.inv.Spec.Packages, Version: "2.0.0"}
	outcome, err := b.do("inv-2", installer.Update, bad)
	f := requireKind(t, installer.KindScriptFailed, err)
	assert.Contains(t, f.Detail, "exit code 3")
	assert.Contains(t, f.Detail, "version 1.0.0 was put back, healthy")
	assert.Equal(t, "1.0.0", outcome.CurrentVersion)
	assert.Equal(t, 2, b.agents())
	assert.Equal(t, installer.AgentRunning, outcome.Agent, "as the script saw it at its end")
	assert.Empty(t, outcome.TargetVersion)

	// Cut off: the agent is gone, and the copy is there.
	outcome, err = b.do("inv-3", installer.Update, b.packages("2.0.0"))
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "1.0.0", outcome.CurrentVersion)
	kept := b.srv.Path("var/lib/tripod/kept/telescope")
	require.NoError(t, os.Rename(kept, kept+".next"))
	b.srv.KillProcesses()
	require.NoError(t, os.RemoveAll(b.srv.Path("usr/local/telescope")))
	outcome, err = b.do("inv-4", installer.Update, b.packages("3.0.0"))
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "1.0.0", outcome.CurrentVersion, "an update of what the one before had found")
	b.become("inv-5", installer.RollbackOf(b.inv))
	outcome, err = b.finish()
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "1.0.0", outcome.TargetVersion)
	assert.NoDirExists(t, kept+".next")
}

func TestLastSeen(t *testing.T) {
	t.Parallel()
	const before = "tripod: agent=healthy version=1.0.0 parents=1 children=1\n"
	for want, output := range map[string]string{
		"healthy":   "tripod: agent=unhealthy version=2.0.0 parents=1 children=0\n" + before + "install.sh: failed\n",
		"unhealthy": "tripod: agent=unhealthy version=1.0.0 parents=2\n",
		"none":      before + "tripod: agent=none\n",
		"":          before + "tripod: agent=unhealthy version=2.0.0\n",
	} {
		assert.Equal(t, want, lastSeen(output, "1.0.0"), output)
	}
	assert.Empty(t, lastSeen("nothing was said", "1.0.0"))
	assert.Empty(t, lastSeen("tripod: agent=healthy\n", ""), "no version is no version before")
}
