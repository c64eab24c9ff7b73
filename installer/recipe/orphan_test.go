package recipe

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/engine"
	"tripod/installer/sshtest"
)

// killKeeper kills what keeps the script, and leaves the script itself alone.
func (b *bed) killKeeper() {
	b.t.Helper()
	text, err := os.ReadFile(b.runFolders()[0] + "/started")
	require.NoError(b.t, err)
	pid, err := strconv.Atoi(strings.Fields(string(text))[0])
	require.NoError(b.t, err)
	require.NoError(b.t, syscall.Kill(pid, syscall.SIGKILL))
}

// A script whose keeper was killed goes on without it, and nobody will ever know its
// exit code: it has not failed before nothing of it is left.
func TestScriptOutlivesItsKeeper(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"followed", "found", "found by the next attempt"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, sshtest.Config{}, "root").script(slowScript)
			var err error
			if way == "followed" {
				done := b.start(t.Context())
				b.out.awaits(t, "begun\n")
				b.killKeeper()
				err = <-done
			} else {
				b.shutDownWhileRunning()
				b.killKeeper()
				require.NotEmpty(t, b.srv.Processes())
				if way != "found" {
					b.nextAttempt(installer.KindLostContact)
					b.letGo()
					_, err = b.work(t.Context())
					require.NoError(t, err)
					assert.Equal(t, 2, b.runs())
					assert.NotContains(t, b.out.String(), "begun\nended\nbegun", "the first one is at an end before the second begins")
					return
				}
				_, err = b.work(t.Context())
			}
			f := requireKind(t, installer.KindScriptFailed, err)
			assert.Contains(t, f.Detail, "killed from outside")
			b.nothingRuns("failed, and nothing of it goes on")
			assert.Equal(t, 1, b.runs())
			assert.Empty(t, b.runFolders())
			steps := b.attempt().Steps
			next := engine.Next(b.inv, engine.End{Err: err, Steps: steps}, time.Now())
			assert.Equal(t, installer.Failed, next.State)
		})
	}
}
