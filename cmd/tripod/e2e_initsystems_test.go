package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer/sshtest/container"
	"tripod/testdata/agent"
)

// initSystem is how a host's own tools are asked about the agent's service, which
// is $S in the lines of sh.
type initSystem struct {
	kind        container.Kind
	started     string // succeeds if the init system has it as started
	enabled     string // succeeds if it starts at boot
	stop, start string // on purpose
	forgotten   string // succeeds if the init system does not know it
}

// initSystems are those that a container has as its first process.
var initSystems = []initSystem{
	{
		kind: container.SystemdKind,
		started: `[ "$(systemctl is-active $S)" = active ] &&
			for p in $(pids telescope); do grep -q "/system.slice/$S.service$" /proc/$p/cgroup || exit 1; done`,
		enabled:   `[ "$(systemctl is-enabled $S)" = enabled ]`,
		stop:      "systemctl stop $S",
		start:     "systemctl start $S",
		forgotten: `[ "$(systemctl show --value -p LoadState $S)-$(systemctl is-active $S)" = not-found-inactive ]`,
	},
	{
		kind: container.SysvinitKind,
		// It keeps no note of what it has started; that runs on as its own child.
		started: "[ $(for p in $(pids telescope); do grep '^PPid:.1$' /proc/$p/status; done | wc -l) = 1 ]",
		enabled: "ls /etc/rc2.d/S??$S",
		// Its script leaves no note of a stop: it counts as meant if it does not start
		// at boot either.
		stop:      "service $S stop && update-rc.d $S disable",
		start:     "update-rc.d $S enable && service $S start",
		forgotten: "! ls /etc/rc?.d/???$S",
	},
	{
		kind:    container.OpenRCKind,
		started: "[ -h /run/openrc/started/$S ]",
		enabled: "rc-update show default | grep -w $S",
		// rc-service runs a script that is not of OpenRC's own kind, and notes nothing.
		stop:      "service $S stop",
		start:     "service $S start",
		forgotten: "! rc-update show -v | grep -w $S && ! ls -d /run/openrc/*/$S",
	},
}

// TestInitSystems: the agent's whole life on hosts with a real init system, which
// are restarted in between.
func TestInitSystems(t *testing.T) {
	takeTurn(t, usual)
	for _, s := range initSystems {
		t.Run(string(s.kind), func(t *testing.T) { newLife(t, s, "old").run() })
	}
	t.Run("systemd, new layout", func(t *testing.T) { newLife(t, initSystems[0], "new").run() })
}

// life is that of the agent on one host.
type life struct {
	*rig
	init          initSystem
	c             *container.Host
	layout, hosts string
	packages      map[string]string
}

func newLife(t *testing.T, s initSystem, layout string) *life {
	t.Parallel()
	l := &life{rig: emptyRig(t), init: s, layout: layout, packages: map[string]string{}}
	for _, version := range []string{"1.1.0", "2.2.0"} {
		l.packages[version] = agent.Build(t, agent.Options{Version: version, Layout: layout, Name: version + ".tar.gz"})
	}
	l.c = container.Start(t, s.kind)
	l.hosts = l.file("hosts.csv", csvFile(l.c))
	return l
}

func (l *life) run() {
	before := l.files()
	install := l.task("install", "--package", l.packages["1.1.0"])
	l.runs("install", "1.1.0")
	l.reboot("reboot", "1.1.0")
	update := l.task("update", "--package", l.packages["2.2.0"])
	l.runs("update", "2.2.0")
	l.reboot("reboot after update", "2.2.0")
	l.task("rollback", update)
	l.runs("rollback", "1.1.0")
	l.stops()
	l.task("rollback", install) // it had found nothing
	l.gone("uninstall", before)

	if l.layout == "new" { // which makes no difference to what follows
		return
	}
	// Without what registers services: there is no chkconfig either.
	l.short("without update-rc.d", "mv /usr/sbin/update-rc.d /var/tmp")
	if l.init.kind == container.SystemdKind { // as Amazon Linux
		l.short("without /etc/init.d", "mv /etc/init.d /var/tmp; echo Amazon Linux >/etc/issue; systemctl daemon-reload")
	}
}

// short is a life on a host that was changed by lines of sh.
func (l *life) short(step, change string) {
	l.t.Helper()
	l.do(change)
	before := l.files()
	install := l.task("install", "--package", l.packages["1.1.0"])
	l.runs(step, "1.1.0")
	l.reboot("reboot "+step, "1.1.0")
	l.task("rollback", install)
	l.gone("uninstall "+step, before)
}

// stops: the agent crashes, is stopped on purpose, and started again.
func (l *life) stops() {
	l.do(`kill -9 $(pids uniagent)
		while pgrep -f '[/]telescoped start' >/dev/null; do sleep 0.1; done
		kill -9 $(pids telescope)`)
	l.claim("crash/says so", func(t *testing.T) { assert.Contains(t, l.look(t), "agent unhealthy 1.1.0") })
	l.do(l.init.stop)
	if l.layout == "new" { // whose service ends only what would start it again
		l.do("bash /usr/local/uniagent/extension/install/telescope/telescoped stop")
	}
	l.claim("stop/says so", func(t *testing.T) { assert.Contains(t, l.look(t), "agent stopped 1.1.0") })
	l.do(l.init.start)
	l.runs("start", "1.1.0")
}

// gone: nothing of the agent is left.
func (l *life) gone(step, before string) {
	l.claim(step+"/no agent", func(t *testing.T) { assert.Contains(t, l.look(t), "agent none") })
	l.claim(step+"/no process", func(t *testing.T) { assert.Equal(t, "0", l.processes()) })
	l.claim(step+"/no file", func(t *testing.T) { assert.Equal(t, before, l.files()) })
	l.claim(step+"/no service", func(t *testing.T) { l.holds(t, l.init.forgotten) })
}

// claim is a subtest that changes nothing on the host, so that the life goes on.
func (l *life) claim(name string, check func(*testing.T)) {
	l.t.Run(name, check)
}

// runs: the agent is well, and its service is as it should be.
func (l *life) runs(step, version string) {
	l.claim(step+"/healthy", func(t *testing.T) { assert.Contains(t, l.look(t), "agent healthy "+version) })
	l.claim(step+"/started", func(t *testing.T) { l.holds(t, l.init.started) })
	l.claim(step+"/enabled", func(t *testing.T) { l.holds(t, l.init.enabled) })
}

// reboot switches the host off and on: the init system starts the agent.
func (l *life) reboot(step, version string) {
	l.t.Helper()
	require.NoError(l.t, l.c.Restart(l.t.Context()))
	l.claim(step+"/started at boot", func(t *testing.T) {
		eventually(t, "the agent is started", func() bool { return l.processes() == "2" })
		// One of the two may still be on its way to what it is to be.
		eventually(t, "the agent is healthy", func() bool { return strings.Contains(l.look(t), "agent healthy "+version) })
	})
	l.runs(step, version)
}

// task runs a command that changes the host, and returns its batch.
func (l *life) task(args ...string) string {
	l.t.Helper()
	return l.report(l.must(append(args, "-f", l.hosts, "--output", "json")...)).BatchID
}

// look is what `tripod check` says of the host.
func (l *life) look(t *testing.T) string {
	t.Helper()
	p, code := l.tripod("check", "-f", l.hosts, "--output", "json")
	require.Equal(t, exit.OK, code, p.err())
	doc := l.report(p.out())
	require.Len(t, doc.Invocations, 1)
	return doc.Invocations[0].Message
}

// sh runs lines of sh on the host, without SSH.
func (l *life) sh(lines string) (string, error) {
	service := map[string]string{"old": "telescoped", "new": "ces-uniagent"}[l.layout]
	return l.c.Exec(l.t.Context(), "sh", "-c", "S="+service+`
		pids() { grep -lx "$1" /proc/[0-9]*/comm 2>/dev/null | cut -d / -f 3; }
		`+lines)
}

func (l *life) do(lines string) {
	l.t.Helper()
	_, err := l.sh(lines)
	require.NoError(l.t, err)
}

func (l *life) holds(t *testing.T, lines string) {
	t.Helper()
	_, err := l.sh("(set -x; " + lines + ") >&2") // into the error
	assert.NoError(t, err)
}

func (l *life) processes() string {
	out, err := l.sh("pids telescope | wc -l")
	require.NoError(l.t, err)
	return out
}

// files are those that may differ when an agent has come and gone, but for what
// Tripod keeps.
func (l *life) files() string {
	out, err := l.sh(`find /etc /usr/local /usr/lib/systemd /home /root /srv /opt /var/lib -xdev \
		! -path '/var/lib/tripod*' -printf '%M %u:%g %p %l\n' | sort`)
	require.NoError(l.t, err)
	return out
}
