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

// sysv makes the scripts see an init system of links in run levels, and none of the
// tools that make them.
const sysv = `init_system() { init=sysv; }
service() { bash "$TRIPOD_ROOT/etc/init.d/$1" "$2"; }
`

// Whatever is done with the agent, all else on the host stays as it was: mode, owner,
// target and content.
func TestFoldersStayAsTheyWere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		from, to string
		shared   bool // the uniagent has another extension
		init     string
		long     bool // for the long run: its steps are in the others
	}{
		"old":               {"old", "old", false, sysv, false},
		"old to new":        {"old", "new", false, "", true},
		"new to old":        {"new", "old", false, sysv, false},
		"new":               {"new", "new", false, "", false},
		"new, shared":       {"new", "new", true, "", true},
		"old to new shared": {"old", "new", true, "", false},
	} {
		if tt.long && !sshtest.Long() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.furnish()
			h.appended = tt.init
			if tt.shared {
				h.otherExtension()
				for _, dir := range []string{"usr/local/uniagent", "usr/local/uniagent/extension", "usr/local/uniagent/extension/install"} {
					h.give(dir, 0o750)
				}
			}
			empty := h.outside()
			keep, wait := filepath.Join(h.dir, "kept"), ""
			install := func(code int, o agent.Options) result {
				t.Helper()
				return h.want(code, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, o), "TRIPOD_KEEP": keep, "TRIPOD_WAIT": wait})
			}
			wait = "2"
			r := install(exitUnhealthy, agent.Options{Version: "1.0", Layout: tt.from, Habit: "one-process"})
			wait = "180"
			assert.Contains(t, r.stderr, "; nothing of it is left")
			assert.Equal(t, empty, h.outside(), "a first installation that fails")
			assert.Empty(t, h.telescopes())
			install(0, agent.Options{Version: "1.0", Layout: tt.from})
			h.unchanged(empty, "install")
			if tt.from == "new" && !tt.shared {
				h.give("usr/local/uniagent", 0o750|os.ModeSetgid)
				h.give("usr/local/uniagent/extension/install", 0o711|os.ModeSetgid)
			}
			before := h.outside()
			install(exitInstaller, agent.Options{Version: "2.0", Layout: tt.to, Habit: "fails"})
			assert.Equal(t, before, h.outside(), "an update that was put back")
			install(0, agent.Options{Version: "2.0", Layout: tt.to})
			h.unchanged(empty, "update")
			h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep, "TRIPOD_KEEP": keep})
			assert.Equal(t, before, h.outside(), "rollback")
			h.want(0, "uninstall.sh", nil)
			assert.Equal(t, empty, h.outside(), "uninstall")
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
	for name, is := range h.outside() {
		if name != "etc/init.d/.tripod" {
			assert.Contains(t, is, "drwxr-xr-x", name)
		}
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
	before := h.outside()
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
