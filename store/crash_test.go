package store

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/storetest"
)

// TestA01Killed: SIGKILL at random moments while the child submits, claims,
// journals and finishes. The oracle is what the child told of before it died.
func TestA01Killed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(storetest.Dir(t), "state")
	submitted, finished := map[string]bool{}, map[string]int{}
	journaled, claimed := map[string]int{}, map[string]int{}
	for round := range killRounds() {
		for f := range tellUntilKilled(t, "work", dir, round, 400) {
			claim, _ := strconv.Atoi(f[2])
			switch f[0] {
			case "submitted":
				submitted[f[1]] = true
			case "claimed":
				claimed[f[1]] = claim
			case "journaled":
				journaled[f[1]]++
			case "finished":
				finished[f[1]]++
			}
		}

		s, err := Open(dir, Options{KeepOther: time.Hour})
		require.NoError(t, err)
		page, err := s.Invocations(t.Context(), installer.Filter{ProjectID: project})
		require.NoError(t, err)
		there := map[string]installer.Invocation{}
		running := map[string]bool{}
		for _, inv := range page.Invocations {
			there[inv.ID] = inv
			if inv.State == installer.Running {
				require.False(t, running[inv.Host.ID], "two on host %s", inv.Host.ID)
				running[inv.Host.ID] = true
			}
			steps := 0
			for _, a := range inv.Attempts {
				steps += len(a.Steps)
			}
			require.GreaterOrEqual(t, steps, journaled[inv.ID], "a journaled step is lost")
			require.GreaterOrEqual(t, int(inv.Claim), claimed[inv.ID], "a claim is lost")
			require.LessOrEqual(t, len(inv.Attempts), 1, "a crash consumed an attempt")
		}
		for id := range submitted {
			require.Contains(t, there, id, "P1: acknowledged and lost")
		}
		for id, n := range finished {
			require.Equal(t, 1, n, "%s ended more than once", id)
			require.Equal(t, installer.Succeeded, there[id].State, "a result is lost")
			log, err := s.Log(t.Context(), project, id)
			require.NoError(t, err)
			text, err := io.ReadAll(log)
			require.NoError(t, err)
			require.NoError(t, log.Close())
			require.Contains(t, string(text), fmt.Sprintf("claim %d\n", there[id].Claim), "the log of a stored result is lost")
		}
		orphans, err := s.Orphans(t.Context())
		require.NoError(t, err)
		require.Len(t, orphans, len(running))
		require.NoError(t, s.Close())
	}
	assert.NotEmpty(t, submitted)

	s := openTest(t, dir, Options{KeepOther: time.Hour})
	orphans, err := s.Orphans(t.Context())
	require.NoError(t, err)
	for _, o := range orphans {
		require.NoError(t, s.Finish(t.Context(), o.Ref(), installer.Transition{State: installer.Pending, Crashed: true, At: t0}))
	}
	for inv := claim(t, s, t0, ""); inv != nil; inv = claim(t, s, t0, "") {
		finish(t, s, inv, installer.Succeeded)
	}
	heads, err := s.Batches(t.Context(), project, 0)
	require.NoError(t, err)
	for _, h := range heads {
		require.Equal(t, map[installer.State]int{installer.Succeeded: 5}, h.ByState)
	}
}

// TestA03FileSizeLimit: a write that finds no room is not acknowledged,
// reading goes on, and so does writing when there is room again.
func TestA03FileSizeLimit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(storetest.Dir(t), "state")
	child, out, _ := startChild(t, "full", dir, "")
	require.True(t, out.Scan(), "the child says what was acknowledged")
	batches, err := strconv.Atoi(out.Text())
	require.NoError(t, err)
	require.NoError(t, child.Wait())
	assert.Greater(t, batches, 1)

	s := openTest(t, dir, Options{KeepOther: time.Hour})
	heads, err := s.Batches(t.Context(), project, 0)
	require.NoError(t, err)
	assert.Len(t, heads, batches+1)
	assert.Equal(t, 50*batches+1, keyCount(s), "the key of the refused batch is gone")
}

// TestA07SecondProcess: the second one says who holds the folder, soon.
func TestA07SecondProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	child, out, in := startChild(t, "hold", dir, "")
	require.True(t, out.Scan())
	for _, readOnly := range []bool{false, true} {
		_, err := Open(dir, Options{ReadOnly: readOnly, LockWait: time.Millisecond})
		require.ErrorIs(t, err, ErrLocked)
		var locked *LockedError
		require.ErrorAs(t, err, &locked)
		assert.Equal(t, child.Process.Pid, locked.PID)
		assert.ErrorContains(t, err, fmt.Sprintf("another tripod process (pid %d) is using %s", child.Process.Pid, dir))
	}
	require.NoError(t, in.Close())
	require.NoError(t, child.Wait())
	openTest(t, dir, Options{LockWait: time.Minute})
}
