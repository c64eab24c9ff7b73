package scripts_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest"
	"tripod/testdata/agent"
)

// deadly stands before a program that changes the host: at one call the script and
// all that it has started die as by kill -9, before the program has done anything
// (call N.0), or when it has done half of it (N.5). Calls that touch neither the
// agent nor its copies do not count, and of the agent's own installer only what
// it copies and starts. The file calls lists the programs.
const deadly = `#!@BASH@
state=@STATE@ real=@REAL@ name=@NAME@
case $name:$PWD:$* in
bash:*start | cp:*unpacked.*:*) ;;
bash:* | *unpacked.*:*) exec $real "$@" ;;
*@ROOT@* | */kept*) ;;
*) exec $real "$@" ;;
esac
if [[ $name == rm ]]; then
	for target in "${@:2}"; do
		[[ ! -e $target ]] || break
	done
	[[ -e $target ]] || exec $real "$@"
fi
echo $name >>$state/calls
read -r at <$state/at
n=$(wc -l <$state/calls)
die() {
	kill -9 -- -$(<$state/group)
	kill -9 $$
}
case $at in
$n.0) die ;;
$n.5)
	last=${!#}
	case $name in
	cp)
		$real "$@"
		find "$last" \( -name telescope -o -name conf.json -o -name telescoped \) -type f -exec $state/rm {} +
		;;
	rm) find "${@:2}" \( -name telescope -o -name info \) -type f -exec $state/rm {} + 2>/dev/null ;;
	esac
	die
	;;
esac
exec $real "$@"
`

// cutter makes scripts on a host die.
type cutter struct {
	*host
	state string
	plain string // PATH without the deadly programs
}

func newCutter(h *host) *cutter {
	c := &cutter{host: h, state: filepath.Join(filepath.Dir(h.dir), "cut"), plain: h.path}
	require.NoError(h.t, os.Mkdir(c.state, 0o755))
	require.NoError(h.t, os.Symlink(lookPath(h.t, "rm"), c.file("rm")))
	for _, name := range []string{"cp", "mv", "rm", "mkdir", "bash"} {
		h.shim(name, strings.NewReplacer(
			"@STATE@", c.state, "@NAME@", name, "@REAL@", lookPath(h.t, name), "@BASH@", lookPath(h.t, "bash"),
			"@ROOT@", "'"+h.root+"'",
		).Replace(deadly))
	}
	return c
}

func (c *cutter) file(name string) string { return filepath.Join(c.state, name) }

// cut runs a script up to its call at, and reports whether it died there, and the
// programs called.
func (c *cutter) cut(at string, script string, s settings) (died bool, calls []string) {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(c.file("calls"), nil, 0o600))
	require.NoError(c.t, os.WriteFile(c.file("at"), []byte(at+"\n"), 0o600))
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Minute)
	defer cancel()
	c.appended = "echo $$ >" + c.file("group") + "\n" // who is to die
	cmd, _, stderr := c.command(ctx, script, s)
	c.appended = ""
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	_ = cmd.Run()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	require.True(c.t, ok)
	died = status.Signaled() && status.Signal() == syscall.SIGKILL
	require.True(c.t, died || status.ExitStatus() == 0, "%s", stderr)
	text, err := os.ReadFile(c.file("calls"))
	require.NoError(c.t, err)
	return died, strings.Fields(string(text))
}

// alive runs a script on a host where nothing dies.
func (c *cutter) alive(code int, script string, s settings) result {
	c.t.Helper()
	deadly := c.path
	c.path = c.plain
	defer func() { c.path = deadly }()
	return c.want(code, script, s)
}

// everywhere cuts a script off at each of its calls, before and in the middle of
// them (but for the long run, at every fourth), in each shell in turn; in the new
// layout, where little is different, at a third of these, and all but an update in the
// long run only. begin makes the host ready, after sees what became of it.
func everywhere(t *testing.T, layout string, s settings, begin, after func(c *cutter, turn int, id string)) {
	t.Helper()
	step := sshtest.EveryNth()
	if layout == "new" {
		step *= len(shells)
	}
	t.Run(layout, func(t *testing.T) {
		t.Parallel()
		c := newCutter(newHost(t))
		c.furnish()
		outside := c.outside()
		mine := settings{"TRIPOD_KEEP": c.kept()}
		for key, value := range s {
			mine[key] = strings.ReplaceAll(value, "DIR", c.dir)
		}
		begin(c, 0, "whole")
		died, calls := c.cut("never", "install.sh", mine)
		require.False(t, died)
		after(c, 0, "whole")
		var points []string
		for n, name := range calls {
			points = append(points, fmt.Sprintf("%d.0", n+1))
			if name == "cp" || name == "rm" {
				points = append(points, fmt.Sprintf("%d.5", n+1))
			}
		}
		require.Greater(t, len(points), 6, "%s", calls)
		t.Logf("%d points of %s", len(points), calls)
		turn := 0
		for n := 0; n < len(points); n += step {
			c.shell = shells[turn%len(shells)]
			need(t, c.shell[0])
			begin(c, turn, points[n])
			died, _ := c.cut(points[n], "install.sh", mine)
			require.True(t, died, "not cut off at %s", points[n])
			after(c, turn, points[n])
			c.unchanged(outside, points[n])
			turn++
			if t.Failed() {
				t.Fatalf("cut off at call %s of %s", points[n], calls)
			}
		}
		c.alive(0, "uninstall.sh", nil)
		c.restored(outside, "uninstall")
	})
}

func someLayouts() []string {
	if sshtest.Long() {
		return []string{"old", "new"}
	}
	return []string{"old"}
}

func (c *cutter) kept() string { return filepath.Join(c.dir, "kept") }

// rollBack goes back to version 1.0, which must be the one that was marked.
func (c *cutter) rollBack(layout, id string) {
	c.t.Helper()
	back := settings{"TRIPOD_RESTORE": c.kept(), "TRIPOD_KEEP": c.kept(), "TRIPOD_VERSION": "1.0"}
	healthy(c.t, c.alive(0, "install.sh", back), "1.0", layout)
	assert.Contains(c.t, c.marked(layout), `"`+id+`"`)
	assert.Equal(c.t, []string{"kept"}, c.copies())
	c.sweep()
}

// sweep removes what a killed script could not: its private folder.
func (c *cutter) sweep() {
	for _, dir := range c.work() {
		require.NoError(c.t, os.RemoveAll(dir))
	}
}

// An update that is cut off anywhere costs nothing: the next one goes on, and the
// way back is to the version that was there before the first one.
func TestReplacementCutOffAnywhere(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"old", "new"} {
		one := agent.Build(t, agent.Options{Version: "1.0", Layout: layout})
		two := agent.Build(t, agent.Options{Version: "2.0", Layout: layout})
		bad := agent.Build(t, agent.Options{Version: "3.0", Habit: "fails"})
		everywhere(t, layout, settings{"TRIPOD_PACKAGE": two, "TRIPOD_VERSION": "2.0"},
			func(c *cutter, _ int, id string) {
				if id == "whole" {
					c.alive(0, "install.sh", settings{"TRIPOD_PACKAGE": one})
				}
				c.mark(layout, id)
			},
			func(c *cutter, turn int, id string) {
				again := settings{"TRIPOD_PACKAGE": two, "TRIPOD_KEEP": c.kept()}
				if turn%2 == 1 { // the next one may fail, too
					again["TRIPOD_PACKAGE"] = bad
					r := c.alive(exitInstaller, "install.sh", again)
					assert.Contains(c.t, lastLine(r.stderr), "was put back, healthy")
					if r.found["version"] == "1.0" {
						assert.Contains(c.t, c.marked(layout), `"`+id+`"`)
						c.sweep()
						return
					}
					again["TRIPOD_PACKAGE"] = two
				}
				healthy(c.t, c.alive(0, "install.sh", again), "2.0", layout)
				assert.Contains(c.t, c.marked(layout), `"`+id+`"`)
				assert.Equal(c.t, []string{"kept"}, c.copies())
				c.rollBack(layout, id)
			})
	}
}

// A first installation that is cut off anywhere leaves nothing that the next one, which
// fails, or a removal would leave.
func TestFirstInstallationCutOffAnywhere(t *testing.T) {
	t.Parallel()
	for _, layout := range someLayouts() {
		two := agent.Build(t, agent.Options{Version: "2.0", Layout: layout})
		bad := agent.Build(t, agent.Options{Version: "3.0", Habit: "fails"})
		everywhere(t, layout, settings{"TRIPOD_PACKAGE": two, "TRIPOD_VERSION": "2.0"},
			func(*cutter, int, string) {},
			func(c *cutter, turn int, id string) {
				if id != "whole" && turn%2 == 0 {
					r := c.alive(exitInstaller, "install.sh", settings{"TRIPOD_PACKAGE": bad, "TRIPOD_KEEP": c.kept()})
					if r.found["agent"] != "none" { // it was cut off when all was done
						assert.Contains(c.t, lastLine(r.stderr), "; version 2.0 was put back, healthy")
						c.alive(0, "uninstall.sh", settings{"TRIPOD_KEEP": c.kept()})
					}
				} else {
					c.alive(0, "uninstall.sh", settings{"TRIPOD_KEEP": c.kept()})
				}
				c.sweep()
				assert.Empty(c.t, c.copies())
				c.uninstalled()
			})
	}
}

// A rollback that is cut off anywhere can be done again.
func TestUndoingCutOffAnywhere(t *testing.T) {
	t.Parallel()
	for _, layout := range someLayouts() {
		one := agent.Build(t, agent.Options{Version: "1.0", Layout: layout})
		two := agent.Build(t, agent.Options{Version: "2.0", Layout: layout})
		everywhere(t, layout, settings{"TRIPOD_RESTORE": "DIR/kept", "TRIPOD_VERSION": "1.0"},
			func(c *cutter, _ int, id string) {
				if id == "whole" {
					c.alive(0, "install.sh", settings{"TRIPOD_PACKAGE": one})
				}
				c.mark(layout, id)
				c.alive(0, "install.sh", settings{"TRIPOD_PACKAGE": two, "TRIPOD_KEEP": c.kept()})
			},
			func(c *cutter, _ int, id string) { c.rollBack(layout, id) })
	}
}

// A copy that was cut off is not taken for one, also where the agent does not run
// any more when the next run comes.
func TestHalfACopyIsNone(t *testing.T) {
	t.Parallel()
	c := newCutter(newHost(t))
	two := settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0"}), "TRIPOD_KEEP": c.kept()}
	bad := settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "3.0", Habit: "fails"}), "TRIPOD_KEEP": c.kept()}
	c.alive(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "1.0"})})
	for _, at := range []string{"2.5", "4.5", "5.0"} { // the agent, its service, the name
		died, calls := c.cut(at, "install.sh", two)
		require.True(t, died)
		require.Subset(t, []string{"cp", "mv"}, calls[len(calls)-1:])
		assert.NoDirExists(t, c.kept()+".next", at)
		c.killAll()
		r := c.alive(exitInstaller, "install.sh", bad)
		assert.Contains(t, lastLine(r.stderr), "; version 1.0 was put back")
		assert.FileExists(t, filepath.Join(c.root, "etc/init.d/telescoped"), at)
		assert.FileExists(t, filepath.Join(c.root, places["old"], "bin/telescope"), at)
		assert.Empty(t, c.copies())
		c.sweep()
	}
	c.alive(0, "uninstall.sh", nil)
	c.uninstalled()
}
