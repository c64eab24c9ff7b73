package scripts_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// An agent that was installed by hand may have files of another user: who unpacks an archive as root
// gets those of its numbers. What that user makes of them is to become nothing that root does.

// agentOf installs an agent, and gives these of its files away.
func agentOf(t *testing.T, names ...string) (h *host, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can give files away")
	}
	h = newHost(t)
	h.furnish()
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "1.0"})})
	dir = filepath.Join(h.root, places["old"])
	for _, name := range names {
		require.NoError(t, os.Chown(filepath.Join(dir, name), nobody, nobody))
	}
	return h, dir
}

// The folder of locks is in one that all may write to: what somebody makes of it tells nothing of the agent,
// and leads to no file that is then removed.
func TestLocksOfOthersTellNothing(t *testing.T) {
	t.Parallel()
	h, dir := agentOf(t)
	locks := filepath.Join(h.root, "var/lock/subsys")
	require.NoError(t, os.MkdirAll(locks, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(locks, "telescoped"), nil, 0o600))
	require.NoError(t, os.Chown(locks, nobody, nobody))
	h.appended = sysv
	kill(t, h.processes()...)
	assert.Equal(t, "stopped", h.want(0, "probe.sh", nil).found["agent"])

	require.NoError(t, os.RemoveAll(locks))
	require.NoError(t, os.Symlink("../../usr/local/telescope", locks))
	require.NoError(t, os.Lchown(locks, nobody, nobody))
	h.want(0, "configure.sh", settings{"TRIPOD_REGION": "r", "TRIPOD_WAIT": "10"})
	assert.FileExists(t, filepath.Join(dir, "telescoped"))
	h.appended = ""
	require.NoError(t, os.Remove(locks))
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// Programs of other users are asked nothing but whose they are: to follow a deep path costs root a
// process for each folder.
func TestPathsOfOthersAreNotFollowed(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can be somebody else")
	}
	h := newHost(t)
	h.open()
	program := telescopeProgram(t, filepath.Join(h.root, "home/telescope/bin"))
	h.open()
	fake := runForeign(t, program, "/", asNobody)
	seen := filepath.Join(h.dir, "seen")
	h.appended = `is_elsewhere() { echo "$1" >>'` + seen + `'; return 1; }
`
	h.want(0, "probe.sh", nil)
	assert.NoFileExists(t, seen)
	fake.endAlive(t, "a look")
}

// Keys go into no file that others can read, put elsewhere or have put elsewhere; and no program
// of theirs is started with them.
func TestConfigureGivesNobodyKeys(t *testing.T) {
	t.Parallel()
	for _, name := range []string{".", "bin", "bin/conf.json", "bin/telescope", "telescoped"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, dir := agentOf(t, name)
			require.NoError(t, os.Symlink("../../../../etc/passwd", filepath.Join(dir, "bin/conf.json.new")))
			before, running := h.outside(), h.telescopes()
			r := h.want(exitHost, "configure.sh", settings{"TRIPOD_ACCESS_KEY": "access", "TRIPOD_SECRET_KEY": "secret"})
			assert.Contains(t, r.stderr, "users other than root can change "+filepath.Clean(filepath.Join(dir, name)))
			assert.Equal(t, before, h.outside())
			assert.Equal(t, running, h.telescopes())
			h.want(0, "uninstall.sh", nil)
			h.uninstalled()
		})
	}
}

// What looks like the rest of a change that was cut off is put nowhere.
func TestForgedConfigurationIsNotPutBack(t *testing.T) {
	t.Parallel()
	h, dir := agentOf(t, ".", "bin")
	forged := filepath.Join(dir, ".tripod-config/bin")
	require.NoError(t, os.MkdirAll(forged, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(forged, "conf.json"), []byte(`{"InstanceId": "forged"}`), 0o644))
	require.NoError(t, os.Symlink("../../../../etc/passwd", filepath.Join(dir, "bin/conf.json.new")))
	before := h.outside()
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0"})})
	assert.Equal(t, before, h.outside())
	text, err := os.ReadFile(filepath.Join(dir, "bin/conf.json"))
	require.NoError(t, err)
	assert.NotContains(t, string(text), "forged")
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// A look reads nothing of theirs: it may be a pipe that never ends.
func TestLookWaitsForNoPipe(t *testing.T) {
	t.Parallel()
	h, dir := agentOf(t, "bin")
	require.NoError(t, os.Remove(filepath.Join(dir, "bin/conf.json")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "bin/conf.json"), 0o644))
	r := h.want(0, "probe.sh", settings{"TRIPOD_REGION": "r"})
	assert.Equal(t, []string{"unknown", ""}, []string{r.found["reporting"], r.found["configured"]})
	assert.Contains(t, r.stdout, "users%20other%20than%20root%20can%20change%20"+encoded(filepath.Join(dir, "bin")))
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// An update takes over no file from elsewhere, nor one that fills the disk.
func TestUpdateReadsNoConfigurationOfOthers(t *testing.T) {
	t.Parallel()
	h, dir := agentOf(t, "bin")
	config := filepath.Join(dir, "bin/conf_lts.json")
	require.NoError(t, os.Symlink("../../../../etc/passwd", config))
	before := h.outside()
	r := h.want(exitHost, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0"})})
	assert.Contains(t, r.stderr, "bin/conf_lts.json is a link, and users other than root can change it")
	healthy(t, h.want(0, "probe.sh", nil), "", "old")

	require.NoError(t, os.Remove(config))
	require.NoError(t, os.WriteFile(config, nil, 0o644))
	require.NoError(t, os.Truncate(config, 1<<40))
	r = h.want(exitHost, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0"})})
	assert.Contains(t, r.stderr, "bin/conf_lts.json has more than 65536 bytes")
	assert.Equal(t, before, h.outside())

	// Of root's own a link is what root wants.
	require.NoError(t, os.Remove(config))
	require.NoError(t, os.Chown(filepath.Join(dir, "bin"), 0, 0))
	elsewhere := filepath.Join(h.root, "etc/telescope.json")
	require.NoError(t, os.WriteFile(elsewhere, []byte(`{"Endpoint": "https://kept"}`), 0o600))
	require.NoError(t, os.Symlink(elsewhere, config))
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0"})})
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	assert.Contains(t, string(text), "https://kept")
	require.NoError(t, os.Remove(elsewhere))
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// An agent elsewhere is removed where it is, and not where somebody makes a link on the way to it
// lead after that was looked at.
func TestUninstallFollowsNoLinkOfOthers(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can give files away")
	}
	h := newHost(t)
	dir := h.installElsewhere("opt", "old")
	link := filepath.Join(h.root, "home/link")
	for _, folder := range []string{filepath.Dir(link), filepath.Join(h.root, "srv/telescope")} {
		require.NoError(t, os.MkdirAll(folder, 0o755))
	}
	require.NoError(t, os.Chown(filepath.Dir(link), nobody, nobody))
	require.NoError(t, os.Symlink("../opt", link))
	service := filepath.Join(h.root, "etc/init.d/telescoped")
	script, err := os.ReadFile(service)
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(script)) {
		if strings.HasPrefix(line, "BIN_DIR=") {
			line = "BIN_DIR='" + link + "/telescope'\n"
		}
		lines = append(lines, line)
	}
	require.NoError(t, os.WriteFile(service, []byte(strings.Join(lines, "")), 0o755))
	kill(t, h.processes()...)

	h.appended = `removing() { ln -sfn ../srv '` + link + `'; }
stop_from() { removing; }
`
	r := h.want(0, "uninstall.sh", nil)
	assert.Equal(t, encoded(dir), r.found["removed_at"])
	assert.DirExists(t, filepath.Join(h.root, "srv/telescope"))
	assert.NoDirExists(t, dir)
}

// Also with another installer than the genuine one, which copies modes, no key can be read by others,
// not even for a moment.
func TestKeptKeysAreReadByNobody(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.shim("cp", "#!/bin/sh\n[ \"$1\" != -R ] || set -- -p \"$@\"\nexec /bin/cp \"$@\"\n")
	h.want(0, "install.sh", settings{
		"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "1.0"}), "TRIPOD_ACCESS_KEY": "access", "TRIPOD_SECRET_KEY": "secret",
	})
	seen := filepath.Join(h.dir, "modes")
	h.appended = `found() { [ "$1" != installer_exit ] || ls -l "$old_dir"/bin/*.json >'` + seen + `'; }
`
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0"})})
	modes, err := os.ReadFile(seen)
	require.NoError(t, err)
	assert.Contains(t, string(modes), "conf.json")
	for line := range strings.Lines(string(modes)) {
		assert.True(t, strings.HasPrefix(line, "-rw-------"), line)
	}
	h.appended = ""
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// Texts that take one awk's time with their square are refused, whatever they hold.
func TestHostileJSONTakesNoTime(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
	config := filepath.Join(h.root, places["old"], "bin/conf.json")
	for name, text := range map[string]string{
		"long": `{"AccessKey": "` + strings.Repeat("a", 65536) + `"}`, "a control character": "{\"AccessKey\": \"\x01\"}",
		"two records": "{\x01}",
	} {
		require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
		assert.Equal(t, "no", h.want(0, "probe.sh", nil).found["reporting"], name)
		h.want(exitHost, "configure.sh", settings{"TRIPOD_REGION": "r"})
		now, err := os.ReadFile(config)
		require.NoError(t, err)
		assert.Equal(t, text, string(now), name)
	}
	text := `{"Other": [` + strings.Repeat("\n1,", 15000) + `"` + strings.Repeat("a", 10000) + `"], "RegionId": "old"}`
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	h.want(0, "configure.sh", settings{"TRIPOD_REGION": "new"})
	now, err := os.ReadFile(config)
	require.NoError(t, err)
	assert.Equal(t, strings.Replace(text, "old", "new", 1), string(now))
	require.True(t, json.Valid(now))
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}
