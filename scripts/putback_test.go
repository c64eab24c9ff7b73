package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// What goes wrong in the putting back changes neither the code nor the reason.
func TestPutBackThatDies(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	keep := filepath.Join(h.dir, "kept")
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "1.0"})})
	bad := settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0", Habit: "fails"}), "TRIPOD_KEEP": keep}
	h.appended = "restore_from() { die 12 'no room at all'; }\n"
	r := h.want(exitInstaller, "install.sh", bad)
	assert.Regexp(t, "ended with exit code 3.*; version 1.0 could not be put back, its copy is in "+keep+".next: no room at all$", lastLine(r.stderr))
	h.appended = ""
	healthy(t, h.want(exitInstaller, "install.sh", bad), "1.0", "old")
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// TestWhatHasReplacedTheKeptVersion: it says which task has replaced it, the latest
// one, also where that one's own copy is not kept because it was broken; a repair
// replaces nothing.
func TestWhatHasReplacedTheKeptVersion(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	keep := filepath.Join(h.dir, "kept")
	install := func(task, version string) {
		t.Helper()
		h.want(0, "install.sh", settings{
			"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: version}), "TRIPOD_KEEP": keep, "TRIPOD_TASK": task,
		})
	}
	replaced := func(version, by string) {
		t.Helper()
		info, err := os.ReadFile(filepath.Join(keep, "info"))
		require.NoError(t, err)
		lines := strings.Split(strings.TrimSuffix(string(info), "\n"), "\n")
		require.Len(t, lines, 4)
		assert.Equal(t, []string{"old " + version, "healthy", by}, []string{lines[0], lines[1], lines[3]})
	}
	install("first", "1.0")
	assert.NoDirExists(t, keep)
	install("update", "2.0")
	replaced("1.0", "update")
	install("repair", "2.0")
	replaced("1.0", "update")
	h.killAll()
	require.NoError(t, os.WriteFile(h.root+"/usr/local/telescope/bin/telescope", []byte("#!/bin/sh\nexit 1\n"), 0o755))
	install("over it", "3.0")
	replaced("1.0", "over it")
	install("last", "4.0")
	replaced("3.0", "last")
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// What is kept stays where the newer copy cannot take its place.
func TestPromotionThatFails(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	keep := filepath.Join(h.dir, "kept")
	install := func(code int, version string) result {
		return h.want(code, "install.sh", settings{
			"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: version}), "TRIPOD_KEEP": keep,
		})
	}
	install(0, "1.0")
	install(0, "2.0")
	path := h.path
	h.shim("mv", "#!/bin/sh\ncase $* in */kept.next\\ */kept) echo 'Input/output error' >&2; exit 1 ;; esac\nexec "+lookPath(t, "mv")+" \"$@\"\n")
	assert.Contains(t, lastLine(install(exitSpace, "3.0").stderr), "the previous version cannot be kept in "+keep)
	h.path = path
	assert.Equal(t, []string{"kept", "kept.next"}, h.copies())
	healthy(t, h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep, "TRIPOD_KEEP": keep, "TRIPOD_VERSION": "1.0"}), "1.0", "old")

	// That a copy stays which nobody wants is said.
	require.NoError(t, os.CopyFS(keep+".next", os.DirFS(keep)))
	h.shim("mv", "#!/bin/sh\nexit 1\n")
	r := h.want(0, "uninstall.sh", settings{"TRIPOD_KEEP": keep})
	assert.Contains(t, r.stderr, keep+".next")
	h.uninstalled()
}

// Where install.sh alone is killed (memory is short), the agent's installer does
// not go on behind it.
func TestInstallerEndsWithItsScript(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	cmd, _, stderr := h.command(t.Context(), "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Habit: "hang"})})
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		for _, dir := range strayInstallers(h) {
			_ = exec.Command("kill", "-KILL", filepath.Base(dir)).Run()
		}
	})
	require.Eventually(t, func() bool { return len(strayInstallers(h)) >= 2 }, time.Minute, 20*time.Millisecond, "%s", stderr)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	assert.Eventually(t, func() bool { return len(strayInstallers(h)) == 0 }, time.Minute, 50*time.Millisecond, "it runs on")
}

// What took the place of a copy and was well before the run was cut off is the
// version before, also when it has been stopped on purpose since; what was never
// well is not.
func TestStoppedSinceTheCutOff(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ habit, back string }{
		"was well":       {"", "; version 2.0 was put back, stopped"},
		"was never well": {"no-start", "; version 1.0 was put back, healthy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			keep := filepath.Join(h.dir, "kept")
			wait := "180"
			install := func(code int, o agent.Options, appended string) result {
				h.appended = appended
				return h.want(code, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, o), "TRIPOD_KEEP": keep, "TRIPOD_WAIT": wait})
			}
			install(0, agent.Options{Version: "1.0"}, "")
			cutOff := "replaced() { exit 0; }\n"
			if tt.habit != "" {
				cutOff, wait = "judge() { exit 0; }\n", "2" // for a start that does not come
			}
			install(0, agent.Options{Version: "2.0", Habit: tt.habit}, cutOff)
			wait = "180"
			h.killAll()
			// Nobody but us can start it.
			stopped := "init_system() { init=systemd; }\n" +
				"systemctl() { [ $1 = show ] && printf '%s\\n' LoadState=loaded ActiveState=inactive Result=success; }\n"
			r := install(exitInstaller, agent.Options{Version: "3.0", Habit: "fails"}, stopped)
			assert.Contains(t, lastLine(r.stderr), tt.back)
			assert.NoDirExists(t, keep+".next")
			h.appended = ""
			if tt.habit == "" {
				assert.Empty(t, h.telescopes())
				healthy(t, h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep, "TRIPOD_KEEP": keep}), "1.0", "old")
			}
			h.want(0, "uninstall.sh", nil)
			h.uninstalled()
		})
	}
}

// The task has a line of its own also in a copy that an older version made, with fewer
// lines.
func TestReplacedByKeepsItsLine(t *testing.T) {
	t.Parallel()
	for _, shell := range shells {
		for info, want := range map[string]string{
			"old 1.0\n":                             "old 1.0\nhealthy\nenabled\ntask\n",
			"old 1.0\nstopped\n":                    "old 1.0\nstopped\nenabled\ntask\n",
			"old 1.0\nhealthy\ndisabled\n":          "old 1.0\nhealthy\ndisabled\ntask\n",
			"old 1.0\nhealthy\ndisabled\nanother\n": "old 1.0\nhealthy\ndisabled\ntask\n",
		} {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "info"), []byte(info), 0o600))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "tree"), 0o700))
			parts(t, shell, "replaced_by "+dir+" task")
			text, err := os.ReadFile(filepath.Join(dir, "info"))
			require.NoError(t, err)
			assert.Equal(t, want, string(text), "%v: %q", shell, info)
		}
	}
}
