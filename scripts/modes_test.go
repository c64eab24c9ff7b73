package scripts_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest"
	"tripod/testdata/agent"
)

// Whatever is done with the agent, the folders that it lies in stay as they were.
func TestFoldersStayAsTheyWere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		from, to string
		shared   bool // the uniagent has another extension
		long     bool // for the long run: its steps are in the others
	}{
		"old":               {"old", "old", false, false},
		"old to new":        {"old", "new", false, true},
		"new to old":        {"new", "old", false, false},
		"new":               {"new", "new", false, false},
		"new, shared":       {"new", "new", true, true},
		"old to new shared": {"old", "new", true, false},
	} {
		if tt.long && !sshtest.Long() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.furnish()
			if tt.shared {
				h.otherExtension()
				for _, dir := range []string{"usr/local/uniagent", "usr/local/uniagent/extension", "usr/local/uniagent/extension/install"} {
					h.give(dir, 0o750)
				}
			}
			empty := h.folders()
			keep := filepath.Join(h.dir, "kept")
			install := func(code int, o agent.Options) {
				t.Helper()
				h.want(code, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, o), "TRIPOD_KEEP": keep})
			}
			install(0, agent.Options{Version: "1.0", Layout: tt.from})
			h.unchanged(empty, "install")
			if tt.from == "new" && !tt.shared {
				h.give("usr/local/uniagent", 0o750|os.ModeSetgid)
				h.give("usr/local/uniagent/extension/install", 0o711|os.ModeSetgid)
			}
			before := h.folders()
			install(exitInstaller, agent.Options{Version: "2.0", Layout: tt.to, Habit: "fails"})
			h.unchanged(before, "an update that was put back")
			install(0, agent.Options{Version: "2.0", Layout: tt.to})
			h.unchanged(empty, "update")
			h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep, "TRIPOD_KEEP": keep})
			h.unchanged(before, "rollback")
			h.want(0, "uninstall.sh", nil)
			h.unchanged(empty, "uninstall")
			if tt.shared {
				require.NoError(t, os.RemoveAll(filepath.Join(h.root, "usr/local/uniagent/extension/install/other")))
				h.want(0, "uninstall.sh", nil)
			}
			h.uninstalled()
		})
	}
}

// Folders that are missing are made for all to enter.
func TestRestoreMakesFolders(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	keep := filepath.Join(h.dir, "kept")
	for _, version := range []string{"1.0", "2.0"} {
		h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: version}), "TRIPOD_KEEP": keep})
	}
	h.want(0, "uninstall.sh", nil)
	for _, dir := range []string{"usr", "etc"} {
		require.NoError(t, os.RemoveAll(filepath.Join(h.root, dir)))
	}
	h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep})
	for name, is := range h.folders() {
		assert.Contains(t, is, "drwxr-xr-x", name)
	}
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// A link in the agent's folder to a file elsewhere gives nobody that file.
func TestModesFollowNoLinks(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.furnish()
	secret := filepath.Join(h.root, "etc/secret")
	require.NoError(t, os.WriteFile(secret, nil, 0o600))
	before := h.folders()
	h.appended = `found() { [ "$1" != installer_exit ] || ln -s ../../../../etc/secret "$old_dir/log/link"; }
`
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
	require.FileExists(t, filepath.Join(h.root, places["old"], "log/link"))
	h.unchanged(before, "install")
	h.appended = ""
	h.want(0, "uninstall.sh", nil)
	require.NoError(t, os.Remove(secret))
	h.uninstalled()
}
