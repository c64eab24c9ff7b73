package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer"
	"tripod/installer/sshtest/container"
)

// TestRebootMidRun (A9): the host goes down while the script runs, and comes
// back. The script has not succeeded, and that is known.
func TestRebootMidRun(t *testing.T) {
	r := newRig(t, usual)
	c := container.Start(t, container.PasswordKind, container.WithRunArgs("--cap-add", "SYS_ADMIN"))
	// A container has its host's boot id. Until it is restarted it gets one of
	// its own, so that the restart looks like that of a machine.
	in(t, c, "cp /proc/sys/kernel/random/uuid /run/boot && mount --bind /run/boot /proc/sys/kernel/random/boot_id")

	p := r.start("install", "-f", r.file("hosts.csv", csvFile(c)), "--script", r.file("long.sh", longScript), "--output", "json")
	waitNoted(t, c, "start")
	require.NoError(t, c.Kill(t.Context()))
	require.NoError(t, c.Restart(t.Context()))

	require.Equal(t, exit.Hosts, p.wait(), "%s", p.err())
	doc := r.report(p.out())
	require.Len(t, doc.Invocations, 1)
	inv := doc.Invocations[0]
	assert.Equal(t, installer.Failed, inv.InvocationStatus)
	assert.Equal(t, installer.KindScriptFailed, inv.Kind)
	assert.Contains(t, inv.Message, "the host was restarted while the script ran")
	assert.NotEmpty(t, inv.Hint)
	assert.Equal(t, "start "+inv.InvocationID, noted(t, c), "it ran once and has no end")

	// A retry is new work, on a host that is well.
	in(t, c, "touch /root/go")
	again := r.report(r.must("retry", doc.BatchID, "--output", "json"))
	assert.Equal(t, 1, again.Summary.Succeeded)
	assert.Equal(t, 2, strings.Count(noted(t, c), "start"))
	assert.Equal(t, 1, strings.Count(noted(t, c), "end"))
}
