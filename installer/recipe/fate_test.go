package recipe

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

// lostBed is one whose first attempt has left a script running, as a store keeps
// it: nobody knows what has become of it.
func lostBed(t *testing.T) *bed {
	t.Helper()
	b := newBed(t, sshtest.Config{}, "root").script(slowScript)
	b.loseWhileRunning()
	b.limits.Reconnect = 20 * time.Second
	b.inv.MayRun = true
	return b
}

// Canceled while it waits for its next attempt, or for the first one of a RETRY:
// what runs on the host is ended first.
func TestCanceledWhileItsFateIsNotKnown(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(installer.ErrCanceled)
	for _, way := range []string{"attempt", "retry"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			b := lostBed(t)
			require.NoError(t, b.srv.Resume())
			if way == "attempt" {
				b.nextAttempt(installer.KindLostContact)
			} else {
				b.inv.Of, b.inv.ID, b.inv.Type = b.inv.ID, "inv-2", installer.Retry
				b.inv.Attempts = []installer.Attempt{{Number: 1, Started: time.Now()}}
			}
			require.NotEmpty(t, b.srv.Processes())
			_, err := b.work(canceled)
			requireKind(t, installer.KindCanceled, err)
			b.nothingRuns("what was killed is gone")
			assert.Empty(t, b.runFolders())
		})
	}

	// Where the host cannot be asked, it is still not known.
	b := lostBed(t)
	b.limits.Reconnect = 200 * time.Millisecond
	b.nextAttempt(installer.KindLostContact)
	_, err := b.work(canceled)
	requireKind(t, installer.KindLostContact, err)
}

// An attempt that could not reach the host tells nothing of the script of the one
// before: the third one still collects what that came to.
func TestFateIsKnownLater(t *testing.T) {
	t.Parallel()
	b := lostBed(t)
	b.nextAttempt(installer.KindLostContact)
	_, err := b.work(t.Context())
	requireKind(t, installer.KindRefused, err)
	require.NoError(t, b.srv.Resume())
	b.letGo()
	require.Eventually(t, func() bool {
		code, err := os.ReadFile(b.runFolders()[0] + "/exit")
		return err == nil && len(strings.TrimSpace(string(code))) > 0
	}, time.Minute, 10*time.Millisecond)
	b.nextAttempt(installer.KindRefused)
	_, err = b.work(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, b.runs())
}
