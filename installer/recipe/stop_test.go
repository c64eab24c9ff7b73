package recipe

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
	standin "tripod/testdata/agent"
)

func TestCancelKillsTheGroup(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(counted + "sleep 300 & (trap '' TERM; sleep 301) & echo begun; wait\n")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := b.start(ctx)
	b.out.awaits(t, "begun\n")
	cancel(installer.ErrCanceled)
	requireKind(t, installer.KindCanceled, <-done)
	b.nothingRuns("the script's children are gone")
	assert.Empty(t, b.runFolders())
	rec, _ := b.attempt().Step(installer.StepRun)
	assert.Equal(t, installer.KindCanceled, rec.Kind)
}

func TestRunLimit(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(counted + "echo begun; exec sleep 300\n")
	b.inv.Spec.RunTimeout = 5 * time.Second // a slow machine has begun by then
	_, err := b.work(t.Context())
	f := requireKind(t, installer.KindScriptTimeout, err)
	assert.Equal(t, "the script ran longer than 5s and was killed: begun", f.Detail)
	b.nothingRuns("what was killed is gone")
	assert.Empty(t, b.runFolders())
}

func TestCancelWithoutContactIsNotKnown(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(slowScript)
	b.limits.Reconnect, b.limits.Clean = 200*time.Millisecond, 200*time.Millisecond
	ctx, cancel := context.WithCancelCause(t.Context())
	done := b.start(ctx)
	b.out.awaits(t, "begun\n")
	b.srv.Stop()
	b.srv.Inject(sshtest.Fault{Stage: sshtest.ChannelOpen, Action: sshtest.Drop}) // before it hears that it is to kill
	cancel(installer.ErrCanceled)
	requireKind(t, installer.KindLostContact, <-done)
}

func TestCanceledWhileNobodyWorkedOnIt(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(slowScript)
	b.shutDownWhileRunning()

	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(installer.ErrCanceled)
	_, err := b.work(canceled)
	requireKind(t, installer.KindCanceled, err)
	b.nothingRuns("what was killed is gone")
	assert.Empty(t, b.runFolders())
}

func TestCanceledBeforeItBegan(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(counted)
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(installer.ErrCanceled)
	_, err := b.work(canceled)
	requireKind(t, installer.KindCanceled, err)
	assert.Zero(t, b.srv.Counts().Connections)
}

// TestC04HolderIsNotNamed: the run that holds a host may be another project's.
func TestC04HolderIsNotNamed(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(slowScript)
	done := b.start(t.Context())
	b.out.awaits(t, "begun\n")

	other := *b
	inv := *b.inv
	inv.ID, inv.RunID, inv.ProjectID = "inv-2", "inv-2", "another"
	inv.Attempts = []installer.Attempt{{Number: 1, Started: time.Now()}}
	other.inv, other.out = &inv, &syncBuffer{}
	_, err := other.work(t.Context())
	f := requireKind(t, installer.KindHostBusy, err)
	assert.Regexp(t, `^another run works on telescope here since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$`, f.Detail)
	assert.NotContains(t, f.Error(), "inv-1")
	assert.Equal(t, 1, b.runs())

	// A holder that is killed holds nothing.
	b.srv.KillProcesses()
	requireKind(t, installer.KindScriptFailed, <-done)
	other.attempt().Steps = nil
	require.NoError(t, os.WriteFile(b.srv.Path("go"), nil, 0o600))
	_, err = other.work(t.Context())
	require.NoError(t, err)
}

// TestNothingIsAlreadyThereWhileAnotherRunWorks: a healthy agent of the wanted
// version is no reason to skip a host on which another project's run may be
// replacing it (A18).
func TestNothingIsAlreadyThereWhileAnotherRunWorks(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").agent(standin.Options{Version: "1.2.3"})
	_, err := b.work(t.Context())
	require.NoError(t, err, b.out.String())

	other := *b
	inv := *b.inv
	inv.Spec = installer.Spec{Target: installer.TargetTelescope, HostKeys: installer.Insecure}
	other.inv = &inv
	other.again("inv-2")
	other.settings = ""
	other.script(slowScript)
	done := other.start(t.Context())
	other.out.awaits(t, "begun\n")

	b.again("inv-3")
	_, err = b.work(t.Context())
	f := requireKind(t, installer.KindHostBusy, err)
	assert.NotContains(t, f.Error(), "inv-2")
	assert.Len(t, b.runFolders(), 1, "that of the other run")

	b.letGo()
	require.NoError(t, <-done)
	b.again("inv-4")
	outcome, err := b.work(t.Context())
	require.NoError(t, err)
	assert.True(t, outcome.Skipped)
}
