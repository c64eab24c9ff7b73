package scripts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// Where the agent's folder is, below the root.
var places = map[string]string{
	"old": "usr/local/telescope",
	"new": "usr/local/uniagent/extension/install/telescope",
}

// mark writes the configuration by which an agent is known again.
func (h *host) mark(layout, id string) {
	h.t.Helper()
	require.NoError(h.t, os.WriteFile(filepath.Join(h.root, places[layout], "bin/conf.json"), []byte(`{"InstanceId":"`+id+`"}`), 0o600))
}

// marked is what mark wrote.
func (h *host) marked(layout string) string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.root, places[layout], "bin/conf.json"))
	require.NoError(h.t, err)
	return string(text)
}

// copies are the folders with copies of the agent.
func (h *host) copies() []string {
	found, err := filepath.Glob(filepath.Join(h.dir, "kept*"))
	require.NoError(h.t, err)
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

// patientPutBack gives what is put back all the time that a slow machine may need,
// however little the new version had.
const patientPutBack = `say() {
	case $* in "putting version"*) TRIPOD_WAIT=180 TRIPOD_STABLE=0 ;; esac
	printf '%s\n' "${0##*/}: $*" >&2
}
`

// However the new version fails, the one before comes back, with its
// configuration, and the failure stays what it is.
func TestFailedReplacementPutsBack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		habit    string
		from, to string
		code     int
		says     string
	}{
		"fails":         {"fails", "old", "old", exitInstaller, "ended with exit code 3"},
		"killed":        {"hang", "old", "old", exitInstaller, "was killed after 1 seconds"},
		"disk full":     {"disk-full", "old", "old", exitSpace, "the disk is full"},
		"no start":      {"no-start", "old", "new", exitUnhealthy, "does not run"},
		"other version": {"wrong-version", "old", "old", exitOtherVers, "version is 0.0.1, not 2.0.0"},
		"copy fails":    {"copy-fails", "new", "new", exitInstaller, "did not copy everything"},
		"crashes":       {"crash-later", "new", "old", exitUnhealthy, "does not run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			keep := filepath.Join(h.dir, "kept")
			h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "1.0.0", Layout: tt.from})})
			h.mark(tt.from, "i-1")
			bad := settings{
				"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0.0", Layout: tt.to, Habit: tt.habit}),
				"TRIPOD_VERSION": "2.0.0", "TRIPOD_KEEP": keep,
			}
			switch tt.habit {
			case "hang":
				bad["TRIPOD_RUN_LIMIT"] = "1"
			case "no-start":
				bad["TRIPOD_WAIT"] = "2"
			case "crash-later": // it crashes long before, and that ends the wait
				bad["TRIPOD_WAIT"], bad["TRIPOD_STABLE"] = "2", "120"
			}
			h.appended = patientPutBack
			r := h.want(tt.code, "install.sh", bad)
			h.appended = ""
			last := lastLine(r.stderr)
			assert.Contains(t, last, tt.says)
			assert.Contains(t, last, "; version 1.0.0 was put back, healthy")
			healthy(t, r, "1.0.0", tt.from)
			assert.Empty(t, h.copies(), "nothing was replaced, so nothing is kept")
			assert.Empty(t, h.work())
			assert.JSONEq(t, `{"InstanceId":"i-1"}`, h.marked(tt.from))
			healthy(t, h.want(0, "verify.sh", nil), "1.0.0", tt.from)
			if tt.from != tt.to {
				assert.NoDirExists(t, filepath.Join(h.root, places[tt.to]))
			}
			h.want(0, "uninstall.sh", nil)
			h.uninstalled()
		})
	}
}

// What was there is put back as it was: not started where it did not run, and
// what is kept for a rollback stays. Without a copy that is said.
func TestPutBackAsItWas(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	keep := filepath.Join(h.dir, "kept")
	install := func(code int, o agent.Options, more settings) result {
		t.Helper()
		s := settings{"TRIPOD_PACKAGE": agent.Build(t, o), "TRIPOD_KEEP": keep}
		for key, value := range more {
			s[key] = value
		}
		return h.want(code, "install.sh", s)
	}
	install(0, agent.Options{Version: "0.9"}, nil)
	install(0, agent.Options{Version: "1.0"}, nil)
	h.killAll()
	h.appended = meant
	r := install(exitInstaller, agent.Options{Version: "2.0", Habit: "fails"}, nil)
	assert.Contains(t, lastLine(r.stderr), "; version 1.0 was put back, stopped")
	assert.Empty(t, h.telescopes())
	assert.Equal(t, []string{"kept"}, h.copies())
	h.appended = ""

	r = install(exitInstaller, agent.Options{Version: "2.0", Habit: "fails"}, settings{"TRIPOD_KEEP": ""})
	assert.Contains(t, lastLine(r.stderr), "; the version before is not kept, so it was not put back")
	r = install(exitInstaller, agent.Options{Version: "2.0", Habit: "fails"}, nil)
	assert.NotContains(t, r.stderr, "put back", "there was none")

	// The way back is as it was.
	healthy(t, h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep, "TRIPOD_KEEP": keep}), "0.9", "old")

	// A rollback that fails leaves the version that was to be undone.
	install(0, agent.Options{Version: "1.0"}, nil)
	require.NoError(t, os.Remove(filepath.Join(keep, "tree/telescope/bin/agent")))
	r = h.want(exitOtherVers, "install.sh", settings{"TRIPOD_RESTORE": keep, "TRIPOD_KEEP": keep, "TRIPOD_VERSION": "0.9"})
	assert.Contains(t, lastLine(r.stderr), "; version 1.0 was put back, healthy")
	healthy(t, r, "1.0", "old")
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// A version that cannot be put back is not lost: the next run goes on from its
// copy, whichever it is.
func TestPutBackLater(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"fails again", "installs", "rolls back"} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			keep := filepath.Join(h.dir, "kept")
			bad := settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0", Habit: "fails"}), "TRIPOD_KEEP": keep}
			h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "1.0"})})
			h.mark("old", "i-1")

			path := h.path
			h.shim("cp", "#!/bin/sh\ncase $* in */kept.next/tree/*) echo 'No space left on device' >&2; exit 1 ;; esac\nexec "+lookPath(t, "cp")+" \"$@\"\n")
			r := h.want(exitInstaller, "install.sh", bad)
			assert.Contains(t, lastLine(r.stderr), "; version 1.0 could not be put back: it cannot be copied to "+h.root+"/usr/local; its copy is in "+keep+".next")
			assert.Empty(t, h.telescopes())
			h.path = path

			switch next {
			case "fails again":
				r = h.want(exitInstaller, "install.sh", bad)
				assert.Contains(t, lastLine(r.stderr), "; version 1.0 was put back, healthy")
				healthy(t, r, "1.0", "old")
			case "installs":
				good := settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "3.0"}), "TRIPOD_KEEP": keep}
				r = h.want(0, "install.sh", good)
				healthy(t, r, "3.0", "old")
				assert.Equal(t, "1.0", r.found["kept"])
				assert.JSONEq(t, `{"InstanceId":"i-1"}`, h.marked("old"), "the configuration goes on too")
				healthy(t, h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep, "TRIPOD_KEEP": keep}), "1.0", "old")
			case "rolls back":
				healthy(t, h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep + ".next", "TRIPOD_KEEP": keep}), "1.0", "old")
				assert.Equal(t, []string{"kept"}, h.copies())
			}
			assert.JSONEq(t, `{"InstanceId":"i-1"}`, h.marked("old"))
			assert.NoDirExists(t, keep+".next")
			h.want(0, "uninstall.sh", nil)
			h.uninstalled()
		})
	}
}

// The uniagent's other extensions are nobody's to keep, remove or put back.
func TestReplacementLeavesOtherExtensions(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	keep := filepath.Join(h.dir, "kept")
	one := agent.Build(t, agent.Options{Version: "1.0", Layout: "new"})
	two := agent.Build(t, agent.Options{Version: "2.0", Layout: "new"})
	bad := agent.Build(t, agent.Options{Version: "3.0", Habit: "fails"})
	other := filepath.Join(h.root, "usr/local/uniagent/extension/install/other/state")
	is := func(text string) {
		t.Helper()
		now, err := os.ReadFile(other)
		require.NoError(t, err)
		assert.Equal(t, text, string(now))
		require.NoError(t, os.WriteFile(other, []byte(text+"+"), 0o600))
	}
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": one})
	require.NoError(t, os.MkdirAll(filepath.Dir(other), 0o755))
	require.NoError(t, os.WriteFile(other, []byte("1"), 0o600))
	healthy(t, h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": two, "TRIPOD_KEEP": keep}), "2.0", "new")
	is("1")
	assert.NoDirExists(t, filepath.Join(keep, "tree/uniagent/extension/install/other"))
	healthy(t, h.want(exitInstaller, "install.sh", settings{"TRIPOD_PACKAGE": bad, "TRIPOD_KEEP": keep}), "2.0", "new")
	is("1+")
	healthy(t, h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep, "TRIPOD_KEEP": keep}), "1.0", "new")
	is("1++")

	// The whole uniagent goes and comes back without them.
	require.NoError(t, os.RemoveAll(filepath.Dir(other)))
	healthy(t, h.want(exitInstaller, "install.sh", settings{"TRIPOD_PACKAGE": bad, "TRIPOD_KEEP": keep}), "1.0", "new")
	assert.NoDirExists(t, filepath.Dir(other))
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// A uniagent that nobody stops starts telescope at the worst moment: between its
// end and the removal of its files, into which it writes while they are removed.
func TestUninstallAgainstTheUniagent(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Layout: "new"})})
	other := h.otherExtension()
	path := h.path
	h.shim("rm", strings.ReplaceAll(`#!/bin/sh
for last; do :; done
case $last in
*/extension/install/telescope)
	if mkdir "$0.started" 2>/dev/null; then
		bash "$last/telescoped" start >/dev/null
		@RM@ "$@"
		mkdir -p "$last/log" && echo late >"$last/log/ces.log"
		exit 1
	fi
	;;
esac
exec @RM@ "$@"
`, "@RM@", lookPath(t, "rm")))
	h.want(0, "uninstall.sh", nil)
	h.path = path
	assert.Empty(t, h.telescopes())
	assert.FileExists(t, other)
	require.NoError(t, os.RemoveAll(filepath.Dir(other)))
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}
