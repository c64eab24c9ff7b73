package recipe

import (
	"strings"
	"testing"

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
	assert.Len(t, counts.Execs, 3, "probe, run, clean: %q", counts.Execs)
	assert.Equal(t, 1, counts.SFTPs)
	for _, rec := range b.attempt().Steps {
		t.Logf("%-8s %6.1f ms  %s", rec.Step, float64(rec.Duration.Microseconds())/1000, rec.Note)
	}
	for _, e := range counts.Execs {
		t.Log(e)
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
