package recipe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

const counted = "#!/bin/sh\nprintf x >>\"$TRIPOD_ROOT/ran\"\n"

func TestScriptSucceeds(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(counted + "echo hello; echo there >&2\n")
	outcome, err := b.work(t.Context())
	require.NoError(t, err)
	require.NotNil(t, outcome.ExitCode)
	assert.Zero(t, *outcome.ExitCode)
	assert.Equal(t, "hello\nthere\n", b.out.String())
	assert.Equal(t, 1, b.runs())
	assert.Equal(t, []installer.Step{"connect", "probe", "stage", "run", "verify", "clean"}, b.steps())
	assert.Empty(t, b.runFolders())

	counts := b.srv.Counts()
	assert.Equal(t, 1, counts.Connections)
	assert.Len(t, counts.Execs, 1, "one conversation")
	assert.Zero(t, counts.SFTPs, "small files go in it")
	for _, rec := range b.attempt().Steps {
		t.Logf("%-8s %6.1f ms  %s", rec.Step, float64(rec.Duration.Microseconds())/1000, rec.Note)
	}
	for _, e := range counts.Execs {
		t.Log(e)
	}
}

// What runs and looks that were cut off for good have left, keys in their settings too, goes some day.
func TestOldFoldersGo(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(counted)
	root := b.srv.Path("var/lib/tripod")
	days := func(name string, n int) string {
		dir := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "settings"), []byte("TRIPOD_SECRET_KEY=k\n"), 0o600))
		at := time.Now().Add(-time.Duration(n) * 24 * time.Hour)
		require.NoError(t, os.Chtimes(dir, at, at))
		return dir
	}
	gone := []string{days("runs/old", 31), days("runs/older", 90), days(".probe.1", 2)}
	stay := []string{days("runs/young", 29), days(".probe.2", 0)}
	require.NoError(t, os.Chmod(root, 0o700))
	_, err := b.work(t.Context())
	require.NoError(t, err)
	for _, dir := range gone {
		assert.NoDirExists(t, dir)
	}
	for _, dir := range stay {
		assert.DirExists(t, dir)
	}
}

func TestScriptFails(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(counted + "echo 'no such \x1b[31mdisk'; exit 7\n")
	outcome, err := b.work(t.Context())
	f := requireKind(t, installer.KindScriptFailed, err)
	assert.Equal(t, installer.StepRun, f.Step)
	assert.Equal(t, `the script exited with code 7: no such \x1b[31mdisk`, f.Detail)
	assert.Equal(t, 7, *outcome.ExitCode)
	assert.Empty(t, b.runFolders())
	assert.Equal(t, 1, strings.Count(b.out.String(), "disk"))
}
