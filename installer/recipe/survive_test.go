package recipe

import (
	"context"
	"errors"
	"fmt"
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

var errKilled = errors.New("kill -9")

// crashing is b.work in a process that is killed: where onJournal panics with
// errKilled, nothing more is done.
func (b *bed) crashing(ctx context.Context) (outcome installer.Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != any(errKilled) {
				panic(r)
			}
			err = errKilled
		}
	}()
	return b.work(ctx)
}

// dieAt works until the step's end is to be stored, and dies before it is, or, kept,
// after it.
func (b *bed) dieAt(step installer.Step, kept bool) {
	b.t.Helper()
	b.onJournal = func(rec installer.StepRecord) error {
		if rec.Step != step {
			return nil
		}
		if kept {
			b.keep(rec)
		}
		panic(errKilled)
	}
	_, err := b.crashing(b.t.Context())
	require.ErrorIs(b.t, err, errKilled)
	b.onJournal = nil
}

// TestA01KilledAtEveryStep kills the process before and after each journal
// write, with a fresh one going on each time.
func TestA01KilledAtEveryStep(t *testing.T) {
	t.Parallel()
	steps := []installer.Step{"connect", "probe", "stage", "run", "verify", "clean"}
	for i, step := range steps {
		for _, kept := range []bool{false, true} {
			if kept && !decides(step, nil) {
				continue // is never the last one that was kept
			}
			t.Run(fmt.Sprintf("%s/kept=%t", step, kept), func(t *testing.T) {
				t.Parallel()
				b := newBed(t, sshtest.Config{}, "root").script(counted + "echo done\n")
				b.dieAt(step, kept)
				if i > 2 {
					assert.Equal(t, 1, b.runs())
				}
				outcome, err := b.crashing(t.Context())
				require.NoError(t, err)
				assert.Equal(t, 1, b.runs())
				require.NotNil(t, outcome.ExitCode)
				assert.Zero(t, *outcome.ExitCode)
				assert.Equal(t, "the script ran and exited with code 0", outcome.Message)
				assert.Equal(t, "done\n", b.out.String(), "output that is read again is not doubled")
				assert.Empty(t, b.runFolders())
			})
		}
	}
}

// Output that the host no longer keeps, because it was copied, stays in the log.
func TestKilledAfterTheHostHasFreedItsDisk(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script("echo 0123456789\n")
	b.dieAt(installer.StepRun, false)
	folders := b.runFolders()
	require.Len(t, folders, 1)
	require.NoError(t, os.WriteFile(filepath.Join(folders[0], "cut"), []byte("5\n"), 0o600))
	_, err := b.work(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "0123456789\n", b.out.String())
}

// TestStepsAfterACrashAreStoredAtOnce, so that many kills in a row while a slow
// host is looked at do not count as an invocation that makes no progress.
func TestStepsAfterACrashAreStoredAtOnce(t *testing.T) {
	t.Parallel()
	for crashes, atOnce := range map[int]bool{0: false, 1: true} {
		b := newBed(t, sshtest.Config{}, "root").script(counted)
		b.inv.Crashes = crashes
		b.onJournal = func(rec installer.StepRecord) error {
			if rec.Step == installer.StepProbe {
				assert.Equal(t, atOnce, len(b.attempt().Steps) == 1, "connect is stored by now")
			}
			return nil
		}
		_, err := b.work(t.Context())
		require.NoError(t, err)
	}
}

// TestA01KilledAtEachStepInTurn does it to one invocation, step after step.
func TestA01KilledAtEachStepInTurn(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(counted + "exit 3\n")
	killed := map[installer.Step]bool{}
	b.onJournal = func(rec installer.StepRecord) error {
		if !killed[rec.Step] {
			killed[rec.Step] = true
			panic(errKilled)
		}
		return nil
	}
	var err error
	for err = errKilled; errors.Is(err, errKilled); {
		_, err = b.crashing(t.Context())
	}
	requireKind(t, installer.KindScriptFailed, err)
	assert.Equal(t, 1, b.runs())
	assert.Empty(t, b.runFolders())
}

// slowScript waits for the file go.
const slowScript = counted + `echo begun
i=0
while [ ! -e "$TRIPOD_ROOT/go" ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done
echo ended
`

func (b *bed) letGo() {
	require.NoError(b.t, os.WriteFile(b.srv.Path("go"), nil, 0o600))
}

// nothingRuns: no process of the script is left. Who followed it over a connection
// that has ended notices within a second or so, and is none of them; the script
// itself would go on for half a minute.
func (b *bed) nothingRuns(why string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return len(b.srv.Processes()) == 0 }, 20*time.Second, 20*time.Millisecond, why)
}

func (b *bed) start(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := b.work(ctx)
		done <- err
	}()
	return done
}

// shutDownWhileRunning begins, and leaves the script running.
func (b *bed) shutDownWhileRunning() {
	b.t.Helper()
	ctx, cancel := context.WithCancelCause(b.t.Context())
	done := b.start(ctx)
	b.out.awaits(b.t, "begun\n")
	cancel(installer.ErrShutdown)
	require.ErrorIs(b.t, <-done, installer.ErrShutdown)
}

// loseWhileRunning begins, and loses the host for good while the script runs.
func (b *bed) loseWhileRunning() {
	b.t.Helper()
	b.limits.Reconnect = 300 * time.Millisecond
	done := b.start(b.t.Context())
	b.out.awaits(b.t, "begun\n")
	b.srv.Stop()
	b.srv.DropAll()
	requireKind(b.t, installer.KindLostContact, <-done)
}

func TestConnectionLostWhileRunning(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(slowScript)
	done := b.start(t.Context())
	b.out.awaits(t, "begun\n")
	b.srv.DropAll()
	require.NoError(t, b.srv.Wait(t.Context(), func(c sshtest.Counts) bool { return len(c.Execs) >= 2 }))
	b.srv.DropAll()
	b.letGo()
	require.NoError(t, <-done)
	assert.Equal(t, "begun\nended\n", b.out.String(), "each byte once")
	assert.Equal(t, 1, b.runs())
}

func TestHostGoneWhileRunning(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(slowScript)
	b.loseWhileRunning()
	assert.Len(t, b.runFolders(), 1, "kept: the next attempt reads it")

	// It comes back, and the script has ended meanwhile.
	require.NoError(t, b.srv.Resume())
	b.letGo()
	require.Eventually(t, func() bool {
		code, err := os.ReadFile(b.runFolders()[0] + "/exit")
		return err == nil && len(strings.TrimSpace(string(code))) > 0
	}, time.Minute, 10*time.Millisecond)
	b.nextAttempt(installer.KindLostContact)
	outcome, err := b.work(t.Context())
	require.NoError(t, err)
	assert.Zero(t, *outcome.ExitCode)
	assert.Equal(t, 1, b.runs())
	assert.Empty(t, b.runFolders())
	assert.Contains(t, b.out.String(), "ended\n")
}

func TestShutdownLeavesTheScriptRunning(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(slowScript)
	b.shutDownWhileRunning()
	assert.Equal(t, []installer.Step{"connect", "probe", "stage"}, b.steps(), "nothing is journaled as failed")

	done := b.start(t.Context())
	require.NoError(t, b.srv.Wait(t.Context(), func(c sshtest.Counts) bool { return c.Connections == 2 && len(c.Execs) == 2 }))
	b.letGo()
	require.NoError(t, <-done)
	assert.Equal(t, 1, b.runs())
	assert.True(t, strings.HasSuffix(b.out.String(), "begun\nended\n"))
}

func TestDiedOnTheHost(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(slowScript)
	done := b.start(t.Context())
	b.out.awaits(t, "begun\n")
	b.srv.DropAll()
	b.srv.KillProcesses() // as a reboot does; the boot id stays, though
	f := requireKind(t, installer.KindScriptFailed, <-done)
	assert.Contains(t, f.Detail, "killed from outside")
	assert.Equal(t, 1, b.runs())
}

func TestRebooted(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(slowScript)
	b.shutDownWhileRunning()
	b.srv.KillProcesses()
	started := b.runFolders()[0] + "/started"
	text, err := os.ReadFile(started)
	require.NoError(t, err)
	words := strings.Fields(string(text))
	words[2] = "another-boot"
	require.NoError(t, os.WriteFile(started, []byte(strings.Join(words, " ")+"\n"), 0o600))

	_, err = b.work(t.Context())
	f := requireKind(t, installer.KindScriptFailed, err)
	assert.Contains(t, f.Detail, "restarted while the script ran")
	assert.Equal(t, 1, b.runs(), "not run again in this attempt")

	b.nextAttempt(installer.KindScriptFailed)
	b.letGo()
	_, err = b.work(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, b.runs(), "a new attempt may")
}

func TestRunFolderGone(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(slowScript)
	b.shutDownWhileRunning()
	b.srv.KillProcesses()
	require.NoError(t, os.RemoveAll(b.srv.Path("var/lib/tripod")))
	for range 2 { // also if the first answer was not stored
		_, err := b.work(t.Context())
		requireKind(t, installer.KindLostContact, err)
		b.attempt().Steps = b.attempt().Steps[:3]
		assert.Equal(t, 1, b.runs())
	}
}

func TestRetryFindsWhatRuns(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(slowScript)
	b.loseWhileRunning()
	require.NoError(t, b.srv.Resume())

	b.inv.Of, b.inv.ID, b.inv.Type = b.inv.ID, "inv-2", installer.Retry
	b.inv.Attempts = []installer.Attempt{{Number: 1, Started: time.Now()}}
	done := b.start(t.Context())
	b.letGo()
	require.NoError(t, <-done)
	assert.Equal(t, 1, b.runs())
}
