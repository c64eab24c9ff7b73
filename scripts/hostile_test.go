package scripts_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

const nobody = 65534

func asNobody(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

func asOurselves(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// telescopeProgram makes a shell that runs by the name of telescope in dir.
func telescopeProgram(t *testing.T, dir string) string {
	t.Helper()
	shell, err := os.ReadFile(lookPath(t, "sh"))
	require.NoError(t, err)
	program := filepath.Join(dir, "telescope")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(program, shell, 0o755))
	return program
}

// foreign is a process that is not the agent's, whatever it looks like.
type foreign struct {
	pid string
	end func()
}

// runForeign runs program, a shell, in dir, with a child of the same name; user
// says whose they are. It returns when both are at work.
func runForeign(t *testing.T, program, dir string, user func(*exec.Cmd)) foreign {
	t.Helper()
	cmd := exec.Command(program, "-c", `exec 3<&0; "$0" -c 'echo ready; read -r line <&3' & read -r line`, program)
	cmd.Dir = dir
	user(cmd)
	in, err := cmd.StdinPipe() // who reads it lives until we close it
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	f := foreign{strconv.Itoa(cmd.Process.Pid), sync.OnceFunc(func() {
		_ = in.Close()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})}
	t.Cleanup(f.end)
	_, err = out.Read(make([]byte, 16))
	require.NoError(t, err)
	return f
}

// endAlive ends it, which nobody may have done before.
func (f foreign) endAlive(t *testing.T, why string) {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + f.pid + "/stat")
	require.NoError(t, err, why)
	assert.NotContains(t, string(stat), ") Z ", "%s: it was killed", why)
	f.end()
}

// open lets other users into the host's folders, as they may on a real one.
func (h *host) open() {
	h.t.Helper()
	for dir := h.root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(h.t, os.Chmod(dir, 0o755))
	}
	require.NoError(h.t, exec.Command("chmod", "-R", "a+rX", h.root).Run())
}

// Two processes named telescope of a local user make no agent healthy, and a
// healthy one not unhealthy: wherever they are at work and whatever they run.
func TestLocalUserFakesNoAgent(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can be somebody else")
	}
	for _, shell := range someShells() {
		t.Run(shell[0], func(t *testing.T) {
			t.Parallel()
			h := newHost(t, shell...)
			h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
			h.open()
			bin := filepath.Join(h.root, places["old"], "bin")
			programs := map[string]string{
				"its own program": telescopeProgram(t, filepath.Join(filepath.Dir(h.root), "nobody")),
				"the agent's own": filepath.Join(bin, ".program/telescope"),
			}
			for name, program := range programs {
				fake := runForeign(t, program, bin, asNobody)
				healthy(t, h.want(0, "probe.sh", nil), "1.2.3", "old")
				fake.endAlive(t, name)
			}
			h.killAll()
			for name, program := range programs {
				fake := runForeign(t, program, bin, asNobody)
				r := h.want(0, "probe.sh", nil)
				assert.Equal(t, []string{"unhealthy", "0", "0"}, []string{r.found["agent"], r.found["parents"], r.found["children"]}, name)
				h.want(exitUnhealthy, "verify.sh", settings{"TRIPOD_WAIT": "0"})
				fake.endAlive(t, name)
			}
			fake := runForeign(t, programs["the agent's own"], bin, asNobody)
			h.want(0, "uninstall.sh", nil)
			fake.endAlive(t, "uninstall")
			h.uninstalled()
		})
	}
}

// A name on the host says nothing of any process: not with a line of `ls` in it, not
// with an arrow, not with what the kernel adds to what is deleted.
func TestForgedNamesKillNobody(t *testing.T) {
	t.Parallel()
	for _, shell := range shells {
		t.Run(shell[0], func(t *testing.T) {
			t.Parallel()
			h := newHost(t, shell...)
			h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
			mine := filepath.Join(filepath.Dir(h.root), "local user")
			program := telescopeProgram(t, mine)
			bin := filepath.Join(h.root, places["old"], "bin")
			victim := runForeign(t, program, "/", asOurselves)
			all := map[string]foreign{"the victim": victim}
			line := fmt.Sprintf("x\nlrwxrwxrwx 1 root root 0 Jan  1 00:00 /proc/%s/%%s -> %s/telescope", victim.pid, bin)
			for name, dir := range map[string]string{
				"a forged exe":        fmt.Sprintf(line, "exe"),
				"a forged cwd":        fmt.Sprintf(line, "cwd"),
				"an arrow":            "x -> " + bin,
				"an arrow and a line": "x -> " + bin + "/\n -> " + bin,
				"ends in a line":      "x -> " + bin + "\n",
			} {
				dir = filepath.Join(mine, dir)
				forged := telescopeProgram(t, dir)
				all[name] = runForeign(t, forged, dir, asOurselves)
			}
			beside := h.root + "/" + places["old"] + " (deleted)/bin"
			all["a name beside it"] = runForeign(t, telescopeProgram(t, beside), beside, asOurselves)

			healthy(t, h.want(0, "probe.sh", nil), "1.2.3", "old")
			h.want(0, "uninstall.sh", nil)
			for name, process := range all {
				process.endAlive(t, name)
			}
			require.NoError(t, os.RemoveAll(filepath.Dir(beside)))
			h.uninstalled()
		})
	}
}

// What has been given the number of one of the agent's processes since is not signalled.
func TestSignalIsForWhoRunsFromThere(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	victim := runForeign(t, telescopeProgram(t, filepath.Join(filepath.Dir(h.root), "elsewhere")), "/", asOurselves)
	h.appended = `processes() { running=; [ "$*" != "$old_real" ] || [ -e once ] || { running=` + victim.pid + ` && : >once; }; }
`
	h.want(0, "uninstall.sh", nil)
	assert.FileExists(t, filepath.Join(h.dir, "once"))
	victim.endAlive(t, "a number that was given out anew")
}

// An agent whose files are gone still runs from where they were, and is stopped.
func TestDeletedAgentIsStopped(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
	require.NoError(t, os.RemoveAll(filepath.Join(h.root, places["old"])))
	r := h.want(0, "probe.sh", nil)
	assert.Equal(t, []string{"unhealthy", "1", "1"}, []string{r.found["agent"], r.found["parents"], r.found["children"]})
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// The agent of a container on the host, which has its own idea of /usr/local, is not
// the host's: not even where the container shares the host's processes.
func TestAgentOfAContainer(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		t.Skipf("SKIPPED: cannot make a container: %v", err)
	}
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
	telescope := filepath.Join(h.root, places["old"], "bin/telescope")
	container := filepath.Join(t.TempDir(), "container")
	require.NoError(t, os.WriteFile(container, []byte(`#!/bin/sh -e
[ -n "${INSIDE-}" ] || INSIDE=yes exec unshare -m "$0" "$@"
mount -t tmpfs container "${0%/*}"
cd "${0%/*}"
mkdir usr dev out
mount --rbind /usr usr
mount --rbind /dev dev
for link in bin lib lib64; do ln -s usr/$link $link; done
mkdir -p ".`+filepath.Dir(telescope)+`"
cp /bin/sh ".`+telescope+`"
pivot_root . out
exec "`+telescope+`" -c "$2" "`+telescope+`"
`), 0o755))
	inside := runForeign(t, container, "/", asOurselves)
	exe, err := os.Readlink("/proc/" + inside.pid + "/exe")
	require.NoError(t, err)
	require.Equal(t, telescope, exe)
	healthy(t, h.want(0, "probe.sh", nil), "1.2.3", "old")
	h.want(0, "uninstall.sh", nil)
	inside.endAlive(t, "uninstall")
	h.uninstalled()
}

// A prefix that is a link leads to the agent's processes too.
func TestPrefixIsALink(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"old", "new"} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			require.NoError(t, os.MkdirAll(filepath.Join(h.root, "usr"), 0o755))
			require.NoError(t, os.MkdirAll(filepath.Join(h.root, "data/local"), 0o755))
			require.NoError(t, os.Symlink("../data/local", filepath.Join(h.root, "usr/local")))
			file := agent.Build(t, agent.Options{Layout: layout})
			healthy(t, h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": file}), "1.2.3", layout)
			healthy(t, h.want(0, "verify.sh", nil), "1.2.3", layout)
			h.want(0, "uninstall.sh", nil)
			require.NoError(t, os.Remove(filepath.Join(h.root, "usr/local")))
			h.uninstalled()
		})
	}
}

// Older kernels write a process's name into its stat as it is: no line break and no
// parenthesis in it changes what the rest says.
func TestNameInStat(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(proc, "7"), 0o755))
	rest := "S 1 5 6 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 0 0\n"
	for _, shell := range shells {
		for _, name := range []string{"telescope", "", ") S 42 42 42", ") S 42\n", "\n", "\n\n) Z 42 (x\ny", "x\n7 (y) Z 42 4"} {
			require.NoError(t, os.WriteFile(filepath.Join(proc, "7/stat"), []byte("7 ("+name+") "+rest), 0o600))
			for dir, tt := range map[string]struct{ ask, want string }{
				"telescope": {"alive 7 && echo $stat_state $stat_ppid", "S 1\n"},
				"host":      {"look_at 7 && echo $group $session $born", "5 6 99\n"},
			} {
				lib, err := os.ReadFile(filepath.Join(dir, "lib.sh"))
				require.NoError(t, err)
				text := strings.ReplaceAll(string(lib), "/proc/", proc+"/") + tt.ask
				out, err := exec.Command(shell[0], append(slices.Clone(shell[1:]), "-c", text)...).CombinedOutput()
				require.NoError(t, err, "%s: %q: %s", dir, name, out)
				assert.Equal(t, tt.want, string(out), "%s: %q", dir, name)
			}
		}
	}
}
