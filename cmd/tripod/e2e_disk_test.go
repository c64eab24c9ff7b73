package main

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/sshtest/container"
)

// TestFullDiskOnTheTarget: no folder has room. That is found before the script
// is sent, let alone run.
func TestFullDiskOnTheTarget(t *testing.T) {
	r := newRig(t, usual)
	var small []string
	for _, folder := range []string{"/var/lib", "/opt", "/usr/local/lib", "/root", "/var/tmp", "/tmp", "/dev/shm"} {
		small = append(small, "--tmpfs", folder+":rw,exec,mode=0755,size=128k")
	}
	c := container.Start(t, container.PasswordKind, container.WithRunArgs(small...))
	p, code := r.tripod("install", "-f", r.file("hosts.csv", csvFile(c)), "--script", r.file("hello.sh", helloScript), "--output", "json")
	require.Equal(t, exit.Hosts, code, "%s", p.err())
	inv := r.report(p.out()).Invocations[0]
	assert.Equal(t, installer.Failed, inv.InvocationStatus)
	assert.Equal(t, installer.KindNoSpace, inv.Kind, inv.Message)
	assert.Contains(t, inv.Message, "/var/lib/tripod: ", "the folders that were tried are named")
	require.Len(t, inv.Attempts, 1)
	var steps []installer.Step
	for _, s := range inv.Attempts[0].Steps {
		steps = append(steps, s.Step)
	}
	assert.Equal(t, []installer.Step{installer.StepConnect, installer.StepProbe}, steps)
	assert.Empty(t, noted(t, c))
	assert.Empty(t, in(t, c, "ls -d /var/lib/tripod /opt/tripod /usr/local/lib/tripod /root/.tripod /var/tmp/tripod /tmp/tripod 2>/dev/null || true"), "nothing is left")
}

// TestFullDiskUnderTheDaemon (A3): nothing is acknowledged while the disk is
// full; what runs keeps its result and stores it once there is room.
func TestFullDiskUnderTheDaemon(t *testing.T) {
	r := newRig(t, usual)
	smallDisk(t, r.state, "8m")
	c := container.Start(t, container.PasswordKind)
	d := r.serve(r.token(), "--script", r.file("long.sh", longScript))

	running := d.create(remoteInstall(remoteHost(c)))
	waitNoted(t, c, "start")
	fill(t, r.state)
	// A new batch is refused. A first one may still fit into pages that are
	// there already, so they come until one does not.
	acknowledged := running
	eventually(t, "a batch is refused", func() bool {
		created, err := d.Create(t.Context(), remoteInstall(remoteHost(c)))
		if err == nil {
			acknowledged = append(acknowledged, idsOf(t, created)...)
			return false
		}
		refused, ok := errors.AsType[*api.Error](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, http.StatusServiceUnavailable, refused.Status, "%v", err)
		return true
	})
	list, err := d.List(t.Context(), installer.Filter{})
	require.NoError(t, err, "reading works")
	require.EqualValues(t, len(acknowledged), list.Count, "nothing is half done")

	in(t, c, "touch /root/go")
	waitNoted(t, c, "end")
	eventually(t, "the daemon says that it could not store that", func() bool { return strings.Contains(d.err(), "not stored, trying again") })
	require.False(t, d.item(running[0]).InvocationStatus.Terminal())

	require.NoError(t, os.Remove(filepath.Join(r.state, "filler")))
	acknowledged = append(acknowledged, d.create(remoteInstall(remoteHost(c)))...)
	for _, item := range d.ended(acknowledged...) {
		assert.Equal(t, installer.Succeeded, item.InvocationStatus, item.ResultMsg)
	}
	d.stop()
	for _, id := range acknowledged {
		assert.Equal(t, 1, strings.Count(noted(t, c), "start "+id), "once each")
	}
}

// TestFullDiskUnderTheBatchTool: it says so with its own exit code, and the
// same command works once there is room.
func TestFullDiskUnderTheBatchTool(t *testing.T) {
	r := newRig(t, usual)
	smallDisk(t, r.state, "8m")
	c := container.Start(t, container.PasswordKind)
	args := []string{"install", "-f", r.file("hosts.csv", csvFile(c)), "--script", r.file("hello.sh", helloScript), "--output", "json"}
	fill(t, r.state)
	p, code := r.tripod(args...)
	require.Equal(t, exit.Internal, code, "%s", p.err())
	assert.Contains(t, p.err(), "no space left on device")
	assert.Contains(t, p.err(), "hint: free space on the file system of the state folder")
	assert.Empty(t, p.out())
	assert.Empty(t, noted(t, c), "nothing was begun")

	require.NoError(t, os.Remove(filepath.Join(r.state, "filler")))
	assert.Equal(t, 1, r.report(r.must(args...)).Summary.Succeeded)
	assert.Equal(t, "ran", noted(t, c))
}

// smallDisk makes dir a file system of its own, for root only.
func smallDisk(t *testing.T, dir, size string) {
	t.Helper()
	require.NoError(t, os.Mkdir(dir, 0o700))
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=0700,size="+size, "tmpfs", dir).CombinedOutput()
	if err != nil {
		t.Skipf("SKIPPED: cannot mount a small disk here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		out, err := exec.Command("umount", "--lazy", dir).CombinedOutput()
		assert.NoError(t, err, "%s", out)
	})
}

// fill leaves no byte free.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "filler"), os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}
