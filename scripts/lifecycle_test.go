package scripts_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

func TestLifecycle(t *testing.T) {
	t.Parallel()
	for name, shell := range map[string][]string{
		"sh":           {"sh"},
		"bash --posix": {"bash", "--posix"},
		"busybox":      {"busybox", "sh"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need(t, shell[0])
			h := newHost(t, shell...)
			one := agent.Build(t, agent.Options{Version: "1.0.14.1"})
			two := agent.Build(t, agent.Options{Version: "2.7.2", Folder: "any name"})
			keep := filepath.Join(h.dir, "kept")

			r := h.want(0, "probe.sh", nil)
			assert.Equal(t, "none", r.found["agent"])
			assert.Equal(t, "none", r.found["layout"])
			assert.Equal(t, "none", r.found["init"])
			assert.Equal(t, "Linux", r.found["os"])
			assert.Empty(t, h.files(), "probe must change nothing")
			h.want(exitUnhealthy, "verify.sh", nil)

			r = h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": one, "TRIPOD_VERSION": "1.0.14.1", "TRIPOD_KEEP": keep})
			healthy(t, r, "1.0.14.1", "old")
			assert.Len(t, h.telescopes(), 2)
			assert.NoDirExists(t, keep, "there was nothing to keep")
			assert.Empty(t, h.work())
			healthy(t, h.want(0, "verify.sh", settings{"TRIPOD_VERSION": "1.0.14.1"}), "1.0.14.1", "old")
			h.want(exitOtherVers, "verify.sh", settings{"TRIPOD_VERSION": "1.0.14"})

			// An update, with a configuration that must survive it.
			conf := filepath.Join(h.root, "usr/local/telescope/bin/conf.json")
			require.NoError(t, os.WriteFile(conf, []byte(`{"InstanceId":"i-1","Mine":true}`), 0o600))
			r = h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": two, "TRIPOD_VERSION": "2.7.2", "TRIPOD_KEEP": keep, "TRIPOD_REGION": "r-9"})
			healthy(t, r, "2.7.2", "old")
			assert.Equal(t, "1.0.14.1", r.found["kept"])
			text, err := os.ReadFile(conf)
			require.NoError(t, err)
			assert.JSONEq(t, `{"InstanceId":"i-1","Mine":true,"RegionId":"r-9"}`, string(text))
			assert.Len(t, h.telescopes(), 2)
			assert.Equal(t, "1.0.14.1", h.want(0, "probe.sh", settings{"TRIPOD_KEEP": keep}).found["kept"])

			if name != "sh" { // the rest is no different elsewhere
				h.want(0, "uninstall.sh", nil)
				h.uninstalled()
				return
			}

			// The same again: what is kept stays.
			h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": two, "TRIPOD_KEEP": keep})
			assert.Equal(t, "1.0.14.1", h.want(0, "probe.sh", settings{"TRIPOD_KEEP": keep}).found["kept"])

			// Back, without any package.
			r = h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep, "TRIPOD_VERSION": "1.0.14.1"})
			healthy(t, r, "1.0.14.1", "old")
			assert.FileExists(t, filepath.Join(h.root, "etc/init.d/telescoped"))

			r = h.want(0, "uninstall.sh", nil)
			assert.Equal(t, "healthy", r.found["removed"])
			assert.Equal(t, "none", r.found["agent"])
			h.uninstalled()
			assert.Equal(t, "none", h.want(0, "uninstall.sh", nil).found["removed"])
		})
	}
}

func healthy(t *testing.T, r result, version, layout string) {
	t.Helper()
	assert.Equal(t, map[string]string{"agent": "healthy", "version": version, "layout": layout, "parents": "1", "children": "1"},
		map[string]string{"agent": r.found["agent"], "version": r.found["version"], "layout": r.found["layout"],
			"parents": r.found["parents"], "children": r.found["children"]})
}

// In the new layout the uniagent starts telescope again when it is gone.
func TestNewLayout(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	older := agent.Build(t, agent.Options{Version: "1.1.0"})
	newer := agent.Build(t, agent.Options{Version: "2.7.2.1", Layout: "new"})
	keep := filepath.Join(h.dir, "kept")

	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": older})
	r := h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": newer, "TRIPOD_KEEP": keep})
	healthy(t, r, "2.7.2.1", "new")
	assert.NoDirExists(t, filepath.Join(h.root, "usr/local/telescope"), "the old layout is in the way")
	assert.NoFileExists(t, filepath.Join(h.root, "etc/init.d/telescoped"))

	// Each of the two goes, and comes back.
	require.Equal(t, "1.1.0", r.found["kept"])
	again := filepath.Join(h.dir, "kept-new")
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": older, "TRIPOD_KEEP": again})
	healthy(t, h.want(0, "install.sh", settings{"TRIPOD_RESTORE": again}), "2.7.2.1", "new")

	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// otherExtension is a file of something else that the uniagent looks after.
func (h *host) otherExtension() string {
	h.t.Helper()
	file := filepath.Join(h.root, "usr/local/uniagent/extension/install/other/file")
	require.NoError(h.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(h.t, os.WriteFile(file, nil, 0o600))
	return file
}

// What else the uniagent looks after stays.
func TestUninstallLeavesOtherExtensions(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Layout: "new"})})
	other := h.otherExtension()
	h.want(0, "uninstall.sh", nil)
	assert.FileExists(t, other)
	assert.NoDirExists(t, filepath.Join(h.root, "usr/local/uniagent/extension/install/telescope"))
	assert.Empty(t, h.telescopes())
	require.NoError(t, os.RemoveAll(filepath.Dir(other)))
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// On a busy host a start takes seconds to become the agent's program. The uniagent,
// which starts what it does not see, must not start it a second time, and what is
// removed meanwhile must not come up afterwards.
func TestStartsOnABusyHost(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.otherExtension() // the uniagent outlives the agent
	h.shim("nohup", "#!/bin/sh\n[ $1 != ./telescope ] || sleep 1.5\nexec "+lookPath(t, "nohup")+" \"$@\"\n")
	new := settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Layout: "new"}), "TRIPOD_STABLE": "2"}
	healthy(t, h.want(0, "install.sh", new), "1.2.3", "new")
	h.killAll()
	healthy(t, h.want(0, "install.sh", new), "1.2.3", "new")
	h.want(0, "uninstall.sh", nil)
	require.NoError(t, os.RemoveAll(filepath.Join(h.root, "usr/local/uniagent/extension/install/other")))
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}
