package scripts_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// bareInit are init systems without the tools that register services, as the scripts
// see them: systemd keeps what it knows in files, as the real one does.
var bareInit = map[string]string{
	"systemd": `init_system() { init=systemd; }
units=$TRIPOD_ROOT/etc/systemd/system
systemctl() {
	for unit; do :; done
	case $1 in
	is-enabled)
		if [ -h "$units/$unit" ]; then echo masked; elif [ -h "$units/multi-user.target.wants/$unit" ]; then echo enabled; else echo disabled; fi ;;
	mask) ln -s /dev/null "$units/$unit" ;;
	start) bash "$TRIPOD_ROOT/etc/init.d/${unit%.service}" start; echo >"$units/../active" ;;
	stop) rm -f "$units/../active" ;;
	show)
		if [ -e "$units/../active" ]; then echo ActiveState=active; else echo ActiveState=inactive; fi
		echo Result=success ;;
	*) return 1 ;;
	esac
}
`,
	"openrc": "init_system() { init=openrc; }\nservice() { bash \"$TRIPOD_ROOT/etc/init.d/$1\" \"$2\"; }\n",
	"sysv":   sysv,
}

// atBoot are the links by which these init systems start the agent.
var atBoot = map[string]string{
	"systemd": "etc/systemd/system/multi-user.target.wants/telescoped.service",
	"openrc":  "etc/runlevels/default/telescoped",
	"sysv":    "etc/rc3.d/S99telescoped",
}

// Where no tool registers services the agent starts at boot all the same; an update, one
// that fails and a rollback leave it as they found it: enabled or not, masked, stopped.
func TestBoot(t *testing.T) {
	t.Parallel()
	for name, init := range bareInit {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.furnish()
			outside := h.outside()
			h.appended = init
			keep := filepath.Join(h.dir, "kept")
			link := filepath.Join(h.root, atBoot[name])
			install := func(code int, s settings, o agent.Options) result {
				t.Helper()
				s["TRIPOD_KEEP"] = keep
				if o.Version != "" {
					s["TRIPOD_PACKAGE"] = agent.Build(t, o)
				}
				return h.want(code, "install.sh", s)
			}
			r := install(0, settings{}, agent.Options{Version: "1.0"})
			assert.Equal(t, "enabled", r.found["boot"], r.stdout)
			assert.FileExists(t, filepath.Join(h.root, "etc/init.d/telescoped"))
			target, err := os.Readlink(link)
			require.NoError(t, err)
			assert.FileExists(t, filepath.Join(h.root, target))

			// Taken out of the boot and stopped, it stays so; and again started at boot.
			masked := filepath.Join(h.root, "etc/systemd/system/telescoped.service")
			require.NoError(t, os.RemoveAll(link))
			_ = os.RemoveAll(masked)
			if name == "sysv" {
				for _, level := range []string{"2", "4", "5"} {
					_ = os.Remove(filepath.Join(h.root, "etc/rc"+level+".d/S99telescoped"))
				}
			}
			why := "it%20was%20disabled%20before"
			if name == "systemd" {
				require.NoError(t, os.Symlink("/dev/null", masked))
				why = "it%20was%20masked%20before"
			}
			h.killAll()
			require.NoError(t, os.RemoveAll(filepath.Join(h.root, "etc/systemd/active")))
			still := func(r result, version string) {
				t.Helper()
				assert.Equal(t, []string{"stopped", version, "disabled", why}, []string{r.found["agent"], r.found["version"], r.found["boot"], r.found["why"]}, r.stdout)
				assert.Empty(t, h.telescopes())
				assert.NoFileExists(t, link)
			}
			require.Equal(t, "stopped", h.want(0, "probe.sh", nil).found["agent"])
			still(install(exitInstaller, settings{}, agent.Options{Version: "2.0", Habit: "fails"}), "1.0")
			still(install(0, settings{}, agent.Options{Version: "2.0"}), "2.0")
			assert.Equal(t, "stopped", h.want(0, "verify.sh", settings{"TRIPOD_VERSION": "2.0"}).found["agent"])
			h.want(exitOtherVers, "verify.sh", settings{"TRIPOD_VERSION": "1.0"})
			still(install(0, settings{"TRIPOD_RESTORE": keep}, agent.Options{}), "1.0")

			h.want(0, "uninstall.sh", nil)
			h.restored(outside, "uninstall")
		})
	}
}

// What systemd says, in all its words; and what a copy of an older version does not say.
func TestLookAtBoot(t *testing.T) {
	t.Parallel()
	for _, shell := range someShells() {
		for says, want := range map[string]string{
			"echo enabled": "enabled", "echo static": "enabled", "echo disabled": "disabled", "echo enabled-runtime": "disabled",
			"echo masked": "masked", "echo masked-runtime": "masked", "echo not-found": "disabled", "false": "unknown",
			"[ $1 = show ] && printf '%s\\n' LoadState=not-found WantedBy=":                  "disabled",
			"[ $1 = show ] && printf '%s\\n' LoadState=loaded WantedBy=":                     "disabled",
			"[ $1 = show ] && printf '%s\\n' LoadState=loaded WantedBy=multi-user.target":    "enabled",
			"[ $1 != show ] && echo generated || printf '%s\\n' LoadState=loaded WantedBy=a": "enabled",
		} {
			said := parts(t, shell, "TRIPOD_ROOT= service=telescoped init=systemd; systemctl() { "+says+"; }; look_at_boot; echo $boot")
			assert.Equal(t, want+"\n", said, "%v: %s", shell, says)
		}
	}
	for info, want := range map[string]string{"old 1.0\n": "enabled", "old 1.0\nstopped\n": "enabled", "old 1.0\nhealthy\nmasked\n": "masked"} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "info"), []byte(info), 0o600))
		require.NoError(t, os.Mkdir(filepath.Join(dir, "tree"), 0o700))
		assert.Equal(t, want, parts(t, shells[0], "read_kept "+dir+"; printf %s $kept_boot"), info)
	}
}

// Where systemd has not begun to start the agent, as its installer's service does not work
// there, nobody waits for it to come.
func TestStartedAtOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	require.NoError(t, os.MkdirAll(filepath.Join(h.root, "etc/systemd/system"), 0o755))
	h.appended = bareInit["systemd"] + "tick() { clock=0; }\n" // whoever waits does so for ever
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd, stdout, stderr := h.command(ctx, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Habit: "no-init"})})
	require.NoError(t, cmd.Run(), "%s%s", stdout, stderr)
	assert.Contains(t, stdout.String(), "tripod: started=service\n")
	h.appended = bareInit["systemd"]
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// What cannot be mended is told.
func TestBootThatCannotBeMended(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.appended = bareInit["systemd"] + "enable_by_hand() { :; }\n"
	require.NoError(t, os.MkdirAll(filepath.Join(h.root, "etc/systemd/system"), 0o755))
	r := h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
	assert.Equal(t, []string{"disabled", "the%20service%20telescoped%20is%20not%20enabled"}, []string{r.found["boot"], r.found["why"]})
	healthy(t, r, "1.2.3", "old")
	r = h.want(0, "verify.sh", nil)
	assert.Equal(t, "disabled", r.found["boot"])
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// A host without a folder for init scripts: the agent's installer would make a file of
// it. What another one has left so goes too.
func TestNoFolderOfInitScripts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	require.NoError(t, os.MkdirAll(filepath.Join(h.root, "etc"), 0o755))
	init := filepath.Join(h.root, "etc/init.d")
	one := settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})}
	h.want(0, "install.sh", one)
	assert.FileExists(t, filepath.Join(init, "telescoped"))
	script, err := os.ReadFile(filepath.Join(init, "telescoped"))
	require.NoError(t, err)
	h.want(0, "uninstall.sh", nil)
	assert.NoDirExists(t, init)

	require.NoError(t, os.WriteFile(init, script, 0o755))
	h.want(0, "install.sh", one)
	assert.FileExists(t, filepath.Join(init, "telescoped"))
	h.want(0, "uninstall.sh", nil)
	assert.NoFileExists(t, init)
	h.uninstalled()

	require.NoError(t, os.WriteFile(init, []byte("not ours\n"), 0o644))
	h.want(0, "uninstall.sh", nil)
	require.FileExists(t, init)
	require.NoError(t, os.Remove(init))

	// An empty one that was there before is not ours to remove.
	require.NoError(t, os.Mkdir(init, 0o755))
	h.want(0, "install.sh", one)
	h.want(0, "uninstall.sh", nil)
	assert.DirExists(t, init)
	h.uninstalled()
}
