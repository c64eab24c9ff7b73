package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// installElsewhere runs the agent's own installer with a folder to install in.
func (h *host) installElsewhere(prefix, layout string) (dir string) {
	h.t.Helper()
	prefix = filepath.Join(h.root, prefix)
	for _, folder := range []string{prefix, filepath.Join(h.root, "etc/init.d")} {
		require.NoError(h.t, os.MkdirAll(folder, 0o755))
	}
	unpacked := h.t.TempDir()
	archive := agent.Build(h.t, agent.Options{Version: "1.0.9", Layout: layout, Folder: "p"})
	require.NoError(h.t, exec.Command("tar", "-C", unpacked, "-xzf", archive).Run())
	cmd := exec.Command("bash", "./install.sh", prefix)
	cmd.Dir = filepath.Join(unpacked, "p")
	cmd.Env = []string{"PATH=" + h.path + ":/usr/sbin:/sbin", "TRIPOD_ROOT=" + h.root}
	require.NoError(h.t, cmd.Run())
	return prefix + "/" + map[string]string{"old": "telescope", "new": "uniagent/extension/install/telescope"}[layout]
}

// An agent that its own installer has put elsewhere is found and named, by whatever is
// left to know it by; ours does not go beside it; and it can be removed.
func TestAgentElsewhere(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"old", "new"} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			dir := h.installElsewhere("opt", layout)
			at := encoded(dir)
			files := h.files()
			started, err := os.ReadFile(filepath.Join(dir, "log/ces.log"))
			require.NoError(t, err)

			r := h.want(0, "probe.sh", nil)
			healthy(t, r, "1.0.9", layout)
			assert.Equal(t, at, r.found["at"])
			healthy(t, h.want(0, "verify.sh", settings{"TRIPOD_VERSION": "1.0.9"}), "1.0.9", layout)
			running := h.processes() // all that it starts first is over
			r = h.want(exitUnhealthy, "verify.sh", settings{"TRIPOD_ABSENT": "yes"})
			assert.Contains(t, r.stderr, dir)
			r = h.want(exitElsewhere, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
			assert.Contains(t, r.stderr, "there is an agent in "+dir)
			assert.Contains(t, r.stderr, "uninstall it first")
			r = h.want(exitElsewhere, "configure.sh", settings{"TRIPOD_REGION": "r"})
			assert.Contains(t, r.stderr, "there is an agent in "+dir)
			h.want(0, "uninstall.sh", settings{"TRIPOD_LEAVE_ELSEWHERE": "yes"})
			h.want(0, "verify.sh", settings{"TRIPOD_LEAVE_ELSEWHERE": "yes", "TRIPOD_ABSENT": "yes"})

			// Nothing was started, stopped or changed.
			assert.Equal(t, files, h.files())
			assert.Subset(t, h.processes(), running)
			log, err := os.ReadFile(filepath.Join(dir, "log/ces.log"))
			require.NoError(t, err)
			assert.Equal(t, strings.Count(string(started), "started as "), strings.Count(string(log), "started as "), "%s", log)

			// Its service is gone, and it runs.
			service := filepath.Join(h.root, "etc/init.d", map[string]string{"old": "telescoped", "new": "ces-uniagent"}[layout])
			script, err := os.ReadFile(service)
			require.NoError(t, err)
			require.NoError(t, os.Remove(service))
			assert.Equal(t, at, h.want(0, "probe.sh", nil).found["at"])
			require.NoError(t, os.WriteFile(service, script, 0o755))

			// It does not run, and its service is there.
			h.killAll()
			r = h.want(0, "probe.sh", nil)
			assert.Equal(t, []string{at, "unhealthy"}, []string{r.found["at"], r.found["agent"]})

			r = h.want(0, "uninstall.sh", nil)
			assert.Equal(t, at, r.found["removed_at"])
			h.uninstalled()
			assert.Empty(t, h.files())
			h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
			h.want(0, "uninstall.sh", nil)
			h.uninstalled()
		})
	}
}

// Of an agent of ours, over which one was installed elsewhere, ours alone is removed, where
// that is wanted: the service is the other one's now.
func TestLeaveElsewhere(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"old", "new"} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0", Layout: layout})})
			ours := h.telescopes()
			dir := h.installElsewhere("opt", layout)
			var others []string
			require.Eventually(t, func() bool {
				others = slices.DeleteFunc(h.telescopes(), func(pid string) bool { return slices.Contains(ours, pid) })
				return len(others) == 2
			}, time.Minute, 10*time.Millisecond)
			leave := settings{"TRIPOD_LEAVE_ELSEWHERE": "yes", "TRIPOD_ABSENT": "yes"}
			h.want(exitUnhealthy, "verify.sh", leave)
			r := h.want(0, "uninstall.sh", leave)
			assert.Equal(t, []string{"healthy", "none", encoded(dir)}, []string{r.found["removed"], r.found["agent"], r.found["elsewhere"]})
			h.want(0, "verify.sh", leave)
			assert.Equal(t, others, h.telescopes())
			assert.NoDirExists(t, filepath.Join(h.root, places[layout]))
			r = h.want(0, "probe.sh", nil)
			healthy(t, r, "1.0.9", layout)
			assert.Equal(t, encoded(dir), r.found["at"])
			h.want(0, "uninstall.sh", nil)
			h.uninstalled()
		})
	}
}

// An agent that others than root could exchange for something else is named, and not
// removed; and what they run is no agent.
func TestAgentElsewhereOfOthers(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can give files away")
	}
	h := newHost(t)
	dir := h.installElsewhere("home/somebody", "old")
	home := filepath.Dir(dir)
	require.NoError(t, os.Chown(home, nobody, 0))
	r := h.want(0, "probe.sh", nil)
	assert.Equal(t, []string{encoded(dir), ""}, []string{r.found["at"], r.found["version"]})
	r = h.want(exitNotRemoved, "uninstall.sh", nil)
	assert.Contains(t, r.stderr, "users other than root can change "+home)
	assert.FileExists(t, filepath.Join(dir, "telescoped"))
	assert.NotEmpty(t, h.telescopes())

	service := filepath.Join(h.root, "etc/init.d/telescoped")
	require.NoError(t, os.Rename(service, service+".away"))
	assert.Equal(t, "none", h.want(0, "probe.sh", nil).found["agent"], "no service of root's names it")
	require.NoError(t, os.Rename(service+".away", service))
	require.NoError(t, os.Chown(home, 0, 0))
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// What is kept for a rollback goes too, where that is wanted.
func TestPurge(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	keep := filepath.Join(h.dir, "kept")
	for _, version := range []string{"1.0", "2.0"} {
		h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: version}), "TRIPOD_KEEP": keep})
	}
	for _, name := range []string{"kept.next/tree", "kept.gone.7/tree", "kept.new.7/tree"} {
		require.NoError(t, os.MkdirAll(filepath.Join(h.dir, name), 0o700))
	}
	h.want(0, "uninstall.sh", settings{"TRIPOD_KEEP": keep})
	assert.Contains(t, h.copies(), "kept")
	r := h.want(0, "uninstall.sh", settings{"TRIPOD_KEEP": keep, "TRIPOD_PURGE": "yes"})
	assert.Equal(t, []string{keep, "none"}, []string{r.found["purged"], r.found["removed"]})
	assert.Empty(t, h.copies())
	h.uninstalled()
}
