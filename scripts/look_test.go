package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// Asking an agent for its version starts nothing: before 1.0.14.1 it knows
// -version alone, and starts on whatever else.
func TestLooksStartNothing(t *testing.T) {
	t.Parallel()
	for version, layout := range map[string]string{"1.0.9": "old", "1.0.14": "old", "1.0.14.1": "old", "2.7.2": "new"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			r := h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: version, Layout: layout}), "TRIPOD_VERSION": version})
			assert.Equal(t, version, r.found["package_version"])
			running := h.telescopes()
			for _, script := range []string{"probe.sh", "verify.sh"} {
				healthy(t, h.want(0, script, nil), version, layout)
			}
			assert.Subset(t, h.telescopes(), running, "it runs on")
			started, err := os.ReadFile(filepath.Join(h.root, places[layout], "log/ces.log"))
			require.NoError(t, err)
			assert.Equal(t, 1, strings.Count(string(started), "started as "), "%s", started)
			h.want(0, "uninstall.sh", nil)
			h.uninstalled()
		})
	}
}

// What others than root can put on the host is not run to see what it is: not a
// program of theirs, nor one in a folder of theirs, nor of one that is open to them.
func TestLooksRunNothingOfOthers(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can give files away")
	}
	for _, shell := range someShells() {
		t.Run(shell[0], func(t *testing.T) {
			t.Parallel()
			need(t, shell[0])
			h := newHost(t, shell...)
			h.furnish()
			for layout, program := range map[string]string{"old": "agent", "new": "telescope"} {
				dir := filepath.Join(h.root, places[layout])
				bin := filepath.Join(dir, "bin")
				ran := filepath.Join(t.TempDir(), "ran")
				require.NoError(t, os.MkdirAll(bin, 0o755))
				text := "#!/bin/sh\necho >'" + ran + "'\necho 1.2.3\n"
				for _, name := range []string{"agent", "telescope"} {
					require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755))
				}
				require.Equal(t, "1.2.3", h.want(0, "probe.sh", nil).found["version"], "all is root's")
				require.NoError(t, os.Remove(ran))

				paths := []string{filepath.Join(bin, program), bin, dir}
				if layout == "new" {
					paths = append(paths, filepath.Dir(dir), filepath.Join(h.root, "usr/local/uniagent"))
				}
				for _, path := range paths {
					for what, others := range map[string]func() error{
						"owner":  func() error { return os.Chown(path, nobody, 0) },
						"group":  func() error { return os.Chmod(path, 0o775) },
						"anyone": func() error { return os.Chmod(path, 0o757) },
					} {
						require.NoError(t, others())
						r := h.want(0, "probe.sh", nil)
						assert.Empty(t, r.found["version"], "%s of %s", what, path)
						changed := "users%20other%20than%20root%20can%20change%20" + strings.ReplaceAll(path, " ", "%20")
						assert.Contains(t, r.stdout, changed, "%s of %s", what, path)
						assert.NoFileExists(t, ran)
						require.NoError(t, os.Chown(path, 0, 0))
						require.NoError(t, os.Chmod(path, 0o755))
					}
				}
				require.NoError(t, os.RemoveAll(filepath.Join(h.root, "usr/local", map[string]string{"old": "telescope", "new": "uniagent"}[layout])))
			}
		})
	}
}

// Whoever the agent's folder has been given to is not the agent.
func TestOwnerOfTheFolderFakesNoAgent(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can be somebody else")
	}
	h := newHost(t)
	bin := filepath.Join(h.root, places["old"], "bin")
	program := telescopeProgram(t, bin)
	h.open()
	require.NoError(t, exec.Command("chown", "-R", "nobody", filepath.Dir(bin)).Run())
	fake := runForeign(t, program, bin, asNobody)
	r := h.want(0, "probe.sh", nil)
	assert.Equal(t, []string{"unhealthy", "0", "0"}, []string{r.found["agent"], r.found["parents"], r.found["children"]})
	h.want(0, "uninstall.sh", nil)
	fake.endAlive(t, "uninstall")
	h.uninstalled()
}
