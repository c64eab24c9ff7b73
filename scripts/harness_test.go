package scripts_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest"
	"tripod/scripts"
)

// Exit codes of the scripts; README.md has the table.
const (
	exitUsage      = 2
	exitNotRoot    = 10
	exitHost       = 11
	exitSpace      = 12
	exitPackage    = 13
	exitNotRemoved = 14
	exitDownload   = 19
	exitInstaller  = 15
	exitUnhealthy  = 16
	exitOtherVers  = 17
	exitElsewhere  = 18
	exitReporting  = 21
	exitTerminated = 143
)

// host is a throw-away root on this machine, with the scripts as they would be
// shipped to it.
type host struct {
	t     *testing.T
	shell []string
	root  string // TRIPOD_ROOT
	dir   string // the scripts, settings and work
	path  string // PATH of the scripts: sparse, without sbin
	as    []string
	// appended is added to the settings: they are read by the scripts' own shell.
	appended string
	// furnished are the files that are there without an agent.
	furnished []string
}

// shells are those that the scripts must run in.
var shells = [][]string{{"sh"}, {"bash", "--posix"}, {"busybox", "sh"}}

// someShells are all of them in the long run, else the first: TestLifecycle and
// TestForgedNamesKillNobody run the scripts in all of them always.
func someShells() [][]string {
	if sshtest.Long() {
		return shells
	}
	return shells[:1]
}

// newHost makes a host whose scripts run under shell. Whatever is left running
// from its root at the end fails the test.
func newHost(t *testing.T, shell ...string) *host {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the scripts are for Linux")
	}
	if len(shell) == 0 {
		shell = []string{"sh"}
	}
	// The path of root has a space: nothing may trip over it.
	base := t.TempDir()
	h := &host{t: t, shell: shell, root: filepath.Join(base, "throw away"), dir: filepath.Join(base, "run"), path: "/usr/bin:/bin"}
	require.NoError(t, os.Mkdir(h.root, 0o755))
	require.NoError(t, os.CopyFS(h.dir, subFS(t, "telescope")))
	if os.Getuid() != 0 {
		h.shim("id", "#!/bin/sh\nif [ \"$1\" = -u ]; then echo 0; else exec /usr/bin/id \"$@\"; fi\n")
	}
	t.Cleanup(func() {
		var left []string
		for _, pid := range h.gone() {
			line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			left = append(left, pid+": "+strings.ReplaceAll(string(line), "\x00", " "))
			_ = exec.Command("kill", "-KILL", pid).Run()
		}
		if !t.Failed() { // else whatever it was doing is left
			assert.Empty(t, left, "processes left running")
		}
	})
	return h
}

func subFS(t *testing.T, dir string) fs.FS {
	t.Helper()
	sub, err := fs.Sub(scripts.Files, dir)
	require.NoError(t, err)
	return sub
}

// shim puts a program before all others on the host.
func (h *host) shim(name, text string) {
	dir := filepath.Join(filepath.Dir(h.dir), "shims")
	require.NoError(h.t, os.MkdirAll(dir, 0o755))
	require.NoError(h.t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	if !strings.HasPrefix(h.path, dir) {
		h.path = dir + ":" + h.path
	}
}

type settings map[string]string

// result is what one script said.
type result struct {
	code           int
	stdout, stderr string
	found          map[string]string // all findings; the last one counts
}

// run runs a script, as a login without anything in its environment would.
func (h *host) run(script string, s settings) result {
	h.t.Helper()
	return h.runAnd(func() {}, script, s)
}

// runAnd does ready when the settings are written, before the script runs.
func (h *host) runAnd(ready func(), script string, s settings) result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 10*time.Minute)
	defer cancel()
	cmd, stdout, stderr := h.command(ctx, script, s)
	ready()
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok {
		require.NoError(h.t, err, "%s: %s", script, stderr)
	} else if !exit.Exited() {
		require.NoError(h.t, err, "%s: %s", script, stderr)
	}
	r := result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), found: map[string]string{}}
	for line := range strings.Lines(r.stdout) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "tripod: ")
		for pair := range strings.FieldsSeq(rest) {
			if key, value, isPair := strings.Cut(pair, "="); ok && isPair {
				r.found[key] = value
			}
		}
	}
	return r
}

func (h *host) command(ctx context.Context, script string, s settings) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	all := settings{"TRIPOD_WAIT": "180", "TRIPOD_STABLE": "0"}
	for key, value := range s {
		all[key] = value
	}
	var text strings.Builder
	for key, value := range all {
		fmt.Fprintf(&text, "%s='%s'\n", key, strings.ReplaceAll(value, "'", `'\''`))
	}
	text.WriteString(h.appended)
	require.NoError(h.t, os.WriteFile(filepath.Join(h.dir, "settings"), []byte(text.String()), 0o600))
	args := slices.Concat(h.as, h.shell, strings.Fields(script))
	cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = h.dir
	cmd.Env = []string{"PATH=" + h.path, "TRIPOD_ROOT=" + h.root}
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	// A daemon that the script leaves must not hold our pipes: if it did, this
	// test would take so long, and fail.
	cmd.WaitDelay = time.Minute
	return cmd, stdout, stderr
}

// encoded is a value as a finding has it.
func encoded(value string) string { return strings.ReplaceAll(value, " ", "%20") }

// want runs a script and checks its exit code.
func (h *host) want(code int, script string, s settings) result {
	h.t.Helper()
	r := h.run(script, s)
	require.Equal(h.t, code, r.code, "%s\nstdout:\n%s\nstderr:\n%s", script, r.stdout, r.stderr)
	if code != 0 {
		require.NotEmpty(h.t, r.stderr, "%s failed and said nothing", script)
	}
	return r
}

// files lists what is in the root, without folders.
func (h *host) files() []string {
	h.t.Helper()
	var all []string
	require.NoError(h.t, filepath.WalkDir(h.root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, strings.TrimPrefix(path, h.root))
		}
		return err
	}))
	return all
}

// processes are those that run from this root, by their working folder: the
// stand-in's all have it there.
func (h *host) processes() []string {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(h.t, err)
	var all []string
	for _, dir := range dirs {
		cwd, err := os.Readlink(dir + "/cwd")
		if err == nil && strings.HasPrefix(cwd, h.root+"/") {
			comm, _ := os.ReadFile(dir + "/comm")
			if strings.TrimSpace(string(comm)) != "sleep" { // ends by itself
				all = append(all, filepath.Base(dir))
			}
		}
	}
	return all
}

// gone waits until nothing runs from this root, and returns what does. What was
// killed, or has lost what it waited for, ends when the machine has time for it.
func (h *host) gone() (left []string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if left = h.processes(); len(left) == 0 {
			break
		}
	}
	return left
}

// telescopes are the processes named telescope.
func (h *host) telescopes() []string {
	return slices.DeleteFunc(h.processes(), func(pid string) bool {
		comm, _ := os.ReadFile("/proc/" + pid + "/comm")
		return strings.TrimSpace(string(comm)) != "telescope"
	})
}

// others are places on the host that are not the agent's, as admins have them: folders
// by their modes, files by their content, and links by their targets.
var (
	others = map[string]os.FileMode{
		"usr": 0o755, "usr/local": 0o775 | os.ModeSetgid, "usr/local/bin": 0o2755, "usr/local/lib": 0o755, "etc": 0o751,
		"etc/init.d": 0o711, "etc/rc0.d": 0o755, "etc/rc3.d": 0o755, "etc/runlevels/default": 0o755,
		"etc/systemd/system": 0o750, "var/lib/other": 0o700, "var/log": 0o1777,
	}
	otherFiles = map[string]string{
		"usr/local/bin/tool": "#!/bin/sh\n", "etc/init.d/other": "#!/bin/sh\nBIN_DIR=/opt/other\n", "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
		"etc/systemd/system/other.service": "[Service]\n", "var/lib/other/db": "1", "var/log/messages": "2",
	}
	otherLinks = map[string]string{
		"etc/rc3.d/S01other": "../init.d/other", "etc/rc0.d/K01other": "../init.d/other", "usr/local/lib/libother.so": "libother.so.1",
	}
)

// furnish makes what is there on a host besides the agent.
func (h *host) furnish() {
	h.t.Helper()
	for dir := range others {
		require.NoError(h.t, os.MkdirAll(filepath.Join(h.root, dir), 0o755))
	}
	for name, text := range otherFiles {
		require.NoError(h.t, os.WriteFile(filepath.Join(h.root, name), []byte(text), 0o600))
		h.give(name, 0o640)
	}
	for name, target := range otherLinks {
		require.NoError(h.t, os.Symlink(target, filepath.Join(h.root, name)))
	}
	for dir, mode := range others {
		h.give(dir, mode)
	}
	h.furnished = h.files()
}

// give sets a mode and, as root, an owner that the scripts would not choose.
func (h *host) give(path string, mode os.FileMode) {
	h.t.Helper()
	if os.Getuid() == 0 {
		require.NoError(h.t, os.Chown(filepath.Join(h.root, path), 3, 50))
	}
	require.NoError(h.t, os.Chmod(filepath.Join(h.root, path), mode))
}

// agentsOwn are the names of the agent's service, and of the links to it.
var agentsOwn = regexp.MustCompile(`^([SK]\d\d)?(telescoped|ces-uniagent)$`)

// outside tells type, mode, owner, target and content of all on the host but what is
// the agent's own, by their paths.
func (h *host) outside() map[string]string {
	h.t.Helper()
	all := map[string]string{}
	require.NoError(h.t, filepath.WalkDir(h.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, h.root+"/")
		if name == places["old"] || name == places["new"] || name == "usr/local/uniagent/bin" {
			return fs.SkipDir
		}
		if agentsOwn.MatchString(d.Name()) {
			return nil
		}
		info, err := os.Lstat(path)
		target, _ := os.Readlink(path)
		var text []byte
		if d.Type().IsRegular() {
			text, err = os.ReadFile(path)
		}
		owner := info.Sys().(*syscall.Stat_t)
		all[name] = fmt.Sprintf("%v %d:%d %s %x", info.Mode(), owner.Uid, owner.Gid, target, sha256.Sum256(text))
		return err
	}))
	return all
}

// unchanged: what was there before is there, as it was.
func (h *host) unchanged(before map[string]string, after string) {
	h.t.Helper()
	now := h.outside()
	for name, was := range before {
		assert.Equal(h.t, was, now[name], "%s after %s", name, after)
	}
}

// work lists what the scripts have left in their own folder.
func (h *host) work() []string {
	left, err := filepath.Glob(filepath.Join(h.dir, "unpacked.*"))
	require.NoError(h.t, err)
	return left
}

// restored: besides, nothing has come.
func (h *host) restored(before map[string]string, after string) {
	h.t.Helper()
	assert.Equal(h.t, before, h.outside(), after)
	h.uninstalled()
}

// uninstalled checks that nothing is left anywhere.
func (h *host) uninstalled() {
	h.t.Helper()
	assert.Equal(h.t, h.furnished, h.files(), "files left")
	assert.Empty(h.t, h.gone(), "processes left")
	assert.Empty(h.t, h.work(), "the unpacked package is left")
	dirs, err := filepath.Glob(filepath.Join(h.root, "usr/local/*"))
	require.NoError(h.t, err)
	for _, dir := range dirs {
		assert.Contains(h.t, others, strings.TrimPrefix(dir, h.root+"/"), "folders left")
	}
}

// need skips loudly where a program is missing, and fails in CI.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and CI must not skip this", program)
		}
		t.Skipf("SKIPPED: %s is not installed", program)
	}
}

// lookPath is where a program of this machine is.
func lookPath(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	require.NoError(t, err)
	return path
}

// hide makes the scripts of the folder blind for a program: they look for it in
// more places than PATH has.
func (h *host) hide(program string) {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, "*.sh"))
	require.NoError(h.t, err)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(h.t, err)
		found += strings.Count(string(text), "have "+program)
		require.NoError(h.t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "have "+program, "false")), 0o600))
	}
	require.NotZero(h.t, found, "no script looks for %s", program)
}

// kill ends processes as kill -9 does, and waits until they are gone.
func kill(t *testing.T, pids ...string) {
	t.Helper()
	for _, pid := range pids {
		_ = exec.Command("kill", "-KILL", pid).Run()
	}
	require.Eventually(t, func() bool {
		for _, pid := range pids {
			if cwd, err := os.Readlink("/proc/" + pid + "/cwd"); err == nil && cwd != "" {
				return false
			}
		}
		return true
	}, time.Minute, 10*time.Millisecond)
}

// killAll does so to all that runs from this root, also to what one of them has just started.
func (h *host) killAll() {
	h.t.Helper()
	for all := h.processes(); len(all) > 0; all = h.processes() {
		kill(h.t, all...)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
