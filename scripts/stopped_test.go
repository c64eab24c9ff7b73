package scripts_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// meant makes the scripts see a systemd that says the agent was stopped.
const meant = `init_system() { init=systemd; }
systemctl() { [ "$1" != show ] || printf '%s\n' LoadState=loaded ActiveState=inactive Result=success; }
`

// An agent that does not run is called stopped only where the init system says
// that it is meant; else it is a fault.
func TestStoppedOrCrashed(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
	kill(t, h.processes()...)
	systemd := func(load, active, result string) string {
		return "init_system() { init=systemd; }\nsystemctl() { [ \"$*\" != 'show -p LoadState -p ActiveState -p Result telescoped.service' ] || " +
			"printf '%s\\n' LoadState=" + load + " ActiveState=" + active + " Result=" + result + "; }\n"
	}
	openrc, sysv := "init_system() { init=openrc; }\n", "init_system() { init=sysv; }\n"
	for _, tt := range []struct {
		name, appended, file, want string
	}{
		{name: "no init system", want: "unhealthy"},
		{name: "systemd: stopped", appended: systemd("loaded", "inactive", "success"), want: "stopped"},
		{name: "systemd: failed", appended: systemd("loaded", "failed", "exit-code"), want: "unhealthy"},
		{name: "systemd: limit of restarts", appended: systemd("loaded", "failed", "start-limit-hit"), want: "unhealthy"},
		{name: "systemd: killed", appended: systemd("loaded", "inactive", "signal"), want: "unhealthy"},
		{name: "systemd: taken for active", appended: systemd("loaded", "active", "success"), want: "unhealthy"},
		{name: "systemd: not known", appended: systemd("not-found", "inactive", "success"), want: "unhealthy"},
		{name: "systemd: no answer", appended: "init_system() { init=systemd; }\nsystemctl() { return 1; }\n", want: "unhealthy"},
		{name: "openrc: stopped", appended: openrc, want: "stopped"},
		{name: "openrc: crashed", appended: openrc, file: "run/openrc/started/telescoped", want: "unhealthy"},
		{name: "sysv: not started at boot", appended: sysv, want: "stopped"},
		{name: "sysv: started at boot", appended: sysv, file: "etc/rc3.d/S10telescoped", want: "unhealthy"},
		{name: "sysv: a lock is left", appended: sysv, file: "var/lock/subsys/telescoped", want: "unhealthy"},
		{name: "sysv: a pid file is left", appended: sysv, file: "run/telescoped.pid", want: "unhealthy"},
	} {
		if tt.file != "" {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(h.root, tt.file)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(h.root, tt.file), nil, 0o600))
		}
		h.appended = tt.appended
		assert.Equal(t, tt.want, h.want(0, "probe.sh", nil).found["agent"], tt.name)
		if tt.file != "" {
			require.NoError(t, os.Remove(filepath.Join(h.root, tt.file)))
		}
	}
	h.appended = ""
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}
