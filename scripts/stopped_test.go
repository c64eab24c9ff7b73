package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// meant makes the scripts see a systemd that says the agent was stopped.
const meant = `init_system() { init=systemd; }
systemctl() { [ "$1" != show ] || printf '%s\n' LoadState=loaded ActiveState=inactive Result=success; }
`

// An agent that does not run is called stopped only where the init system says
// that it is meant; else it is a fault.
func TestStoppedOrCrashed(t *testing.T) {
	t.Parallel()
	systemd := func(load, active, result string) string {
		return "init=systemd; systemctl() { [ \"$*\" != 'show -p LoadState -p ActiveState -p Result telescoped.service' ] || " +
			"printf '%s\\n' LoadState=" + load + " ActiveState=" + active + " Result=" + result + "; }"
	}
	for _, tt := range []struct {
		name, init, file string
		meant            bool
	}{
		{name: "no init system", init: "init=none"},
		{name: "systemd: stopped", init: systemd("loaded", "inactive", "success"), meant: true},
		{name: "systemd: failed", init: systemd("loaded", "failed", "exit-code")},
		{name: "systemd: limit of restarts", init: systemd("loaded", "failed", "start-limit-hit")},
		{name: "systemd: killed", init: systemd("loaded", "inactive", "signal")},
		{name: "systemd: taken for active", init: systemd("loaded", "active", "success")},
		{name: "systemd: not known", init: systemd("not-found", "inactive", "success")},
		{name: "systemd: no answer", init: "init=systemd; systemctl() { return 1; }"},
		{name: "openrc: stopped", init: "init=openrc", meant: true},
		{name: "openrc: crashed", init: "init=openrc", file: "run/openrc/started/telescoped"},
		{name: "sysv: not started at boot", init: "init=sysv", meant: true},
		{name: "sysv: started at boot", init: "init=sysv", file: "etc/rc3.d/S10telescoped"},
		{name: "sysv: a lock is left", init: "init=sysv", file: "var/lock/subsys/telescoped"},
		{name: "sysv: a pid file is left", init: "init=sysv", file: "run/telescoped.pid"},
	} {
		root := t.TempDir()
		for _, file := range []string{"etc/init.d/telescoped", tt.file} {
			if file != "" {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(root, file), nil, 0o600))
			}
		}
		said := parts(t, shells[0], tt.init+"; TRIPOD_ROOT="+root+"; init_places; find_users; state=stopped layout=old service=telescoped; tell_crashed; echo $state")
		want := map[bool]string{true: "stopped\n", false: "unhealthy\n"}[tt.meant]
		assert.Equal(t, want, said, tt.name)
	}
}

// parts runs a line of shell with all the scripts' functions.
func parts(t *testing.T, shell []string, line string) string {
	t.Helper()
	need(t, shell[0])
	said, err := exec.Command(shell[0], append(slices.Clone(shell[1:]), "-c", "here=telescope; . telescope/all.sh; "+line)...).CombinedOutput()
	require.NoError(t, err, string(said))
	return string(said)
}
