package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/report"
	"tripod/installer"
	"tripod/installer/sshtest/container"
	"tripod/testdata/agent"
)

// TestTasksOnContainers: every task that changes hosts, one after the other, on a real
// sshd, by a user who needs sudo; TestAPITasksOnContainers has root. After each one the
// host itself is asked what runs there.
func TestTasksOnContainers(t *testing.T) {
	r := newRig(t, usual)
	cs := container.StartAll(t, []container.Kind{container.SudoPasswordKind})
	hosts := r.file("hosts.csv", csvFile(cs...))
	packages := map[string]string{}
	for _, version := range []string{"1.0.0", "2.0.0"} {
		packages[version] = agent.Build(t, agent.Options{Version: version, Name: version + ".tar.gz"})
	}
	do := func(want int, args ...string) report.JSONReport {
		t.Helper()
		p, code := r.tripod(append(args, "-f", hosts, "--output", "json")...)
		require.Equal(t, want, code, "%v\n%s%s", args, p.out(), p.err())
		doc := r.report(p.out())
		require.Len(t, doc.Invocations, len(cs))
		return doc
	}
	is := func(doc report.JSONReport, kind installer.Type, state installer.State, from, to string) {
		t.Helper()
		for i, inv := range doc.Invocations {
			assert.Equal(t, kind, inv.InvocationType)
			assert.Equal(t, state, inv.InvocationStatus, inv.Message)
			assert.Equal(t, from, inv.CurrentVersion, inv.Message)
			if state == installer.Succeeded && to != "" {
				assert.Equal(t, to, inv.TargetVersion)
			}
			requireAgent(t, cs[i], to)
		}
	}

	// An update needs an agent.
	missing := do(exit.Hosts, "update", "--package", packages["2.0.0"])
	for _, inv := range missing.Invocations {
		assert.Equal(t, installer.KindAgentMissing, inv.Kind)
		assert.Equal(t, installer.KindAgentMissing.Hint(), inv.Hint)
	}
	install := do(exit.OK, "install", "--package", packages["1.0.0"])
	is(install, installer.Install, installer.Succeeded, "none", "1.0.0")

	// A new version that fails does not cost the one before.
	bad := agent.Build(t, agent.Options{Version: "1.5.0", Habit: "fails", Name: "bad.tar.gz"})
	broken := do(exit.Hosts, "update", "--package", bad, "--version", "1.5.0")
	is(broken, installer.Update, installer.Failed, "1.0.0", "1.0.0")
	for _, inv := range broken.Invocations {
		assert.Equal(t, installer.KindScriptFailed, inv.Kind)
		assert.Contains(t, inv.Message, "version 1.0.0 was put back, healthy")
	}

	// An update that cannot be done on the hosts yet, and then can.
	inAll(t, cs, "mv /bin/gzip /root/gzip")
	failed := do(exit.Hosts, "update", "--package", packages["2.0.0"], "--version", "2.0.0")
	is(failed, installer.Update, installer.Failed, "1.0.0", "1.0.0")
	inAll(t, cs, "mv /root/gzip /bin/gzip")
	retried := do(exit.OK, "retry", failed.BatchID)
	is(retried, installer.Retry, installer.Succeeded, "1.0.0", "2.0.0")

	// Back, with nothing but what is on the hosts: neither the package nor the
	// copy in the state folder is there any more.
	for _, file := range packages {
		require.NoError(t, os.Remove(file))
	}
	blobs, err := filepath.Glob(filepath.Join(r.state, "blobs", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, blobs)
	for _, blob := range blobs {
		require.NoError(t, os.RemoveAll(blob))
	}
	inAll(t, cs, "mv /var/lib/tripod/kept /root/kept") // not yet
	gone := do(exit.Hosts, "rollback", failed.BatchID)
	is(gone, installer.Rollback, installer.Failed, "2.0.0", "2.0.0")
	for _, inv := range gone.Invocations {
		assert.Equal(t, installer.KindNotKept, inv.Kind)
	}
	inAll(t, cs, "mv /root/kept /var/lib/tripod/kept")
	back := do(exit.OK, "retry", gone.BatchID)
	is(back, installer.Retry, installer.Succeeded, "2.0.0", "1.0.0")
	for i, inv := range retried.Invocations {
		assert.Equal(t, installer.Rollbacked, r.stored(inv.InvocationID).InvocationStatus)
		assert.Equal(t, installer.Failed, r.stored(failed.Invocations[i].InvocationID).InvocationStatus, "it had done nothing")
	}

	// The installation had found nothing.
	removed := do(exit.OK, "rollback", install.BatchID)
	is(removed, installer.Rollback, installer.Succeeded, "1.0.0", "")
	for _, inv := range install.Invocations {
		assert.Equal(t, installer.Rollbacked, r.stored(inv.InvocationID).InvocationStatus)
	}
	for _, c := range cs {
		assert.Equal(t, "", in(t, c, "ls -A /var/lib/tripod/runs; ls -d /tmp/tripod.* 2>/dev/null; true"), "nothing is left of the runs")
	}
}

// requireAgent asks the host: one parent and one child of the agent in that
// version, or, for no version, no process, no file and no service of it.
func requireAgent(t *testing.T, c *container.Host, version string) {
	t.Helper()
	processes := in(t, c, "grep -lx telescope /proc/[0-9]*/comm 2>/dev/null | wc -l")
	if version == "" {
		assert.Equal(t, "0", processes)
		assert.Empty(t, in(t, c, "ls -d /usr/local/telescope /etc/init.d/telescoped /etc/rc?.d/*telescoped 2>/dev/null; true"))
		return
	}
	assert.Equal(t, "2", processes)
	assert.Contains(t, in(t, c, "/usr/local/telescope/bin/agent -version"), version)
}

func inAll(t *testing.T, cs []*container.Host, line string) {
	t.Helper()
	for _, c := range cs {
		require.Empty(t, strings.TrimSpace(in(t, c, line)))
	}
}
