package store

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/engine"
	"tripod/store/storetest"
)

// history is what is done on one host, task after task.
type history struct {
	t    *testing.T
	s    *Store
	host installer.Host
}

func newHistory(t *testing.T, s *Store) *history {
	return &history{t, s, item("", 0, "h1").Invocation.Host}
}

func (h *history) read(id string) installer.Invocation {
	h.t.Helper()
	inv, err := h.s.Invocation(h.t.Context(), project, id)
	require.NoError(h.t, err)
	return inv
}

// submit stores one invocation, which has the id of its batch.
func (h *history) submit(id string, inv installer.Invocation) error {
	inv.ID, inv.Host = id, h.host
	b := batch(id)
	b.Items = []installer.Item{{Invocation: inv}}
	return h.s.Submit(h.t.Context(), b)
}

func (h *history) rollback(id, of string) error {
	old := h.read(of)
	return h.submit(id, installer.RollbackOf(&old))
}

// end works on what was submitted as id.
func (h *history) end(id string, state installer.State, o installer.Outcome) installer.Invocation {
	h.t.Helper()
	inv := claim(h.t, h.s, t0, id)
	require.NotNil(h.t, inv)
	require.NoError(h.t, h.s.Finish(h.t.Context(), inv.Ref(), installer.Transition{State: state, EndAttempt: true, At: t0, Outcome: o}))
	return h.read(id)
}

// did is a task that has succeeded and found one version and left another.
func (h *history) did(id string, kind installer.Type, from, to string) {
	h.t.Helper()
	require.NoError(h.t, h.submit(id, installer.Invocation{Type: kind, Spec: installer.Spec{Target: installer.TargetTelescope}}))
	h.end(id, installer.Succeeded, installer.Outcome{Changed: true, CurrentVersion: from, TargetVersion: to})
}

// refused: neither asked for first nor submitted in spite of that.
func (h *history) refused(of, by string) {
	h.t.Helper()
	assert.EqualError(h.t, h.ask(of), "no ROLLBACK: a later task changed the host and is not undone: "+by)
	err := h.rollback("refused-"+of, of)
	require.ErrorIs(h.t, err, installer.ErrSuperseded)
	require.NotErrorIs(h.t, err, installer.ErrStorage)
}

func (h *history) allowed(of string) {
	h.t.Helper()
	old := h.read(of)
	require.NoError(h.t, installer.Allow(installer.Rollback, &old))
	require.NoError(h.t, h.ask(of))
}

// ask asks whether a ROLLBACK, or the RETRY of one, may be.
func (h *history) ask(of string) error {
	old := h.read(of)
	task := installer.Rollback
	if old.Type == installer.Rollback {
		task = installer.Retry
	}
	_, _, err := h.s.FollowUp(h.t.Context(), task, &old)
	return err
}

// TestRollbackOfWhatALaterTaskReplaced: the last change of a host is undone first.
func TestRollbackOfWhatALaterTaskReplaced(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(storetest.Dir(t), "state")
	s := openTest(t, dir, Options{})
	h := newHistory(t, s)
	h.did("install", installer.Install, "", "1")
	h.did("update", installer.Update, "1", "2")
	h.did("next", installer.Update, "2", "3")
	h.refused("install", "next")
	h.refused("update", "next")
	h.allowed("next")

	require.NoError(t, h.rollback("back", "next"))
	h.refused("update", "next") // it is only asked for
	h.end("back", installer.Succeeded, installer.Outcome{TargetVersion: "2"})
	assert.Equal(t, installer.Rollbacked, h.read("next").State)
	h.refused("install", "update")
	h.allowed("update")

	// It stays so over a restart.
	require.NoError(t, s.Close())
	h.s = openTest(t, dir, Options{})
	h.refused("install", "update")
	require.NoError(t, h.rollback("back-2", "update"))
	h.end("back-2", installer.Succeeded, installer.Outcome{})
	h.allowed("install")
	h.did("again", installer.Install, "1", "4")
	h.refused("install", "again")
}

// TestRollbackThatWaitsIsSuperseded: an UPDATE that ends while the ROLLBACK waits. The
// host refuses that one; a RETRY of it is refused until the UPDATE is undone.
func TestRollbackThatWaitsIsSuperseded(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	h := newHistory(t, s)
	h.did("install", installer.Install, "", "1")
	require.NoError(t, h.submit("update", installer.Invocation{Type: installer.Update, Spec: installer.Spec{Target: installer.TargetTelescope}}))
	require.NoError(t, h.rollback("back", "install"), "nothing has changed the host yet")
	h.end("update", installer.Succeeded, installer.Outcome{Changed: true, CurrentVersion: "1", TargetVersion: "2"})

	late := claim(t, s, t0, "back")
	require.NotNil(t, late)
	require.NoError(t, s.Finish(t.Context(), late.Ref(), engine.Next(late, engine.End{Err: installer.Fail(installer.KindSuperseded, "x")}, t0)))
	back := h.read("back")
	assert.Equal(t, installer.Failed, back.State)
	assert.Equal(t, installer.Succeeded, h.read("install").State)
	assert.EqualError(t, h.ask("back"), "no RETRY: a later task changed the host and is not undone: update")
	require.ErrorIs(t, h.submit("again", installer.RetryOf(&back)), installer.ErrSuperseded)

	require.NoError(t, h.rollback("back-2", "update"))
	h.end("back-2", installer.Succeeded, installer.Outcome{})
	require.NoError(t, h.ask("back"), "what was in the way is undone")
	require.NoError(t, h.submit("again", installer.RetryOf(&back)))
}

// TestSupersededForGood: what nothing undoes is told apart, since to roll it back
// first is no way.
func TestSupersededForGood(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]struct {
		script *installer.BlobRef
		found  string
	}{
		"a script of one's own":    {script: &installer.BlobRef{SHA256: "aa", Name: "job.sh"}},
		"an agent without version": {found: installer.VersionUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, newTest(t, Options{}))
			h.did("install", installer.Install, "", "1")
			h.did("update", installer.Update, "1", "2")
			require.NoError(t, h.rollback("back", "update"))
			own := installer.Invocation{Type: installer.Install, Spec: installer.Spec{Target: installer.TargetTelescope, Script: later.script}}
			long := strings.Repeat("i", 64)
			require.NoError(t, h.submit(long, own))
			h.end(long, installer.Succeeded, installer.Outcome{Changed: true, CurrentVersion: later.found})
			h.end("back", installer.Failed, installer.Outcome{})
			require.EqualError(t, h.ask("back"), "no RETRY: nothing undoes the later "+long+": use INSTALL or UPDATE")
			err := h.rollback("refused", "update")
			require.EqualError(t, err, "no ROLLBACK: nothing undoes the later "+long+": use INSTALL or UPDATE")
			require.ErrorIs(t, err, installer.ErrSuperseded)
			assert.LessOrEqual(t, len(err.Error()), 128, "the API's limit")

			// One that can be undone is told as before.
			h.did("next", installer.Update, "2", "3")
			h.refused("update", "next")
		})
	}
}

// TestAnotherProjectsChangeIsSeen: the host is one machine, whoever works on it. What
// another project has done is not named.
func TestAnotherProjectsChangeIsSeen(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		via  []installer.Endpoint
		keys []string // that each of the two projects has pinned there
		same bool
	}{
		"by the same way":             {same: true},
		"by another way":              {via: []installer.Endpoint{{Address: "10.9.9.9", Port: 22}}, keys: []string{"a", "b"}},
		"by another way, by its key":  {via: []installer.Endpoint{{Address: "10.9.9.9", Port: 22}}, keys: []string{"a", "a"}, same: true},
		"by another way, not reached": {via: []installer.Endpoint{{Address: "10.9.9.9", Port: 22}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, newTest(t, Options{}))
			h.did("install", installer.Install, "", "1")
			h.allowed("install")
			for i, key := range row.keys {
				require.NoError(t, h.s.PinKey(t.Context(), []string{project, "another"}[i], h.host.HostPort(), key))
			}
			theirs := batch("theirs", "x")
			inv := &theirs.Items[0].Invocation
			theirs.ProjectID, inv.Type, inv.Host.Endpoint, inv.Host.Via = "another", installer.Update, h.host.Endpoint, row.via
			submit(t, h.s, theirs)
			require.NoError(t, h.s.Finish(t.Context(), claim(t, h.s, t0, "theirs").Ref(), installer.Transition{State: installer.Succeeded, EndAttempt: true, At: t0,
				Outcome: installer.Outcome{Changed: true, CurrentVersion: "1", TargetVersion: "2"}}))
			if row.same {
				h.refused("install", "a task of another project")
			} else {
				h.allowed("install")
				require.NoError(t, h.rollback("back", "install"))
			}
		})
	}
}

// TestARepairIsNoLaterChange: nor is what changed nothing, failed, only looked, or
// was done to another machine or another target.
func TestARepairIsNoLaterChange(t *testing.T) {
	t.Parallel()
	h := newHistory(t, newTest(t, Options{}))
	spec := installer.Spec{Target: installer.TargetTelescope}
	h.did("install", installer.Install, "", "1")
	h.did("repair", installer.Install, "1", "1")
	repair := h.read("repair")
	assert.ErrorContains(t, installer.Allow(installer.Rollback, &repair), "it put back the version that was there")

	require.NoError(t, h.submit("skipped", installer.Invocation{Type: installer.Update, Spec: spec}))
	h.end("skipped", installer.Succeeded, installer.Outcome{Skipped: true, CurrentVersion: "1", TargetVersion: "2"})
	require.NoError(t, h.submit("failed", installer.Invocation{Type: installer.Update, Spec: spec}))
	h.end("failed", installer.Failed, installer.Outcome{Changed: true, CurrentVersion: "1", TargetVersion: "2"})
	look := installer.Invocation{Type: installer.Install, Spec: spec}
	look.Spec.CheckOnly = true
	require.NoError(t, h.submit("look", look))
	h.end("look", installer.Succeeded, installer.Outcome{CurrentVersion: "1"})
	require.NoError(t, h.submit("other", installer.Invocation{Type: installer.Install, Spec: installer.Spec{Target: "other"}}))
	h.end("other", installer.Succeeded, installer.Outcome{Changed: true})
	h.allowed("install")

	here := h.host
	h.host.Address = "10.0.0.2" // by the same id
	h.did("elsewhere", installer.Install, "", "9")
	h.host = here
	h.host.Via = []installer.Endpoint{{Address: "10.9.9.9", Port: 22}}
	h.did("behind", installer.Install, "", "9")
	h.host = here
	h.allowed("install")
	h.allowed("elsewhere")
	h.allowed("behind")

	h.host.ID = "h1-by-another-name"
	h.did("update", installer.Update, "1", "2")
	h.host = here
	h.refused("install", "update")
}

// TestChangedOfOldRows: what was stored before there was Changed counts as it did.
func TestChangedOfOldRows(t *testing.T) {
	t.Parallel()
	h := newHistory(t, newTest(t, Options{}))
	spec := installer.Spec{Target: installer.TargetTelescope}
	require.NoError(t, h.submit("install", installer.Invocation{Type: installer.Install, Spec: spec}))
	h.end("install", installer.Succeeded, installer.Outcome{TargetVersion: "1"})
	h.allowed("install")
	require.NoError(t, h.submit("update", installer.Invocation{Type: installer.Update, Spec: spec}))
	h.end("update", installer.Succeeded, installer.Outcome{CurrentVersion: "1", TargetVersion: "2"})
	h.refused("install", "update")
}

// TestACrasherIsSetAside: over real restarts, one that finishes a step each time is
// found too, and what kills the process at once is found soon.
func TestACrasherIsSetAside(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		progress bool
		restarts int
	}{"at once": {false, engine.MaxCrashes}, "later each time": {true, engine.MaxAllCrashes}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(storetest.Dir(t), "state")
			s, err := Open(dir, Options{Clock: func() time.Time { return t0 }})
			require.NoError(t, err)
			submit(t, s, batch("B1", "h1"))
			for n := 1; ; n++ {
				inv := claim(t, s, t0, "")
				require.NotNil(t, inv)
				if c.progress {
					require.NoError(t, s.Journal(t.Context(), inv.Ref(), installer.StepRecord{Step: installer.StepConnect}))
				}
				require.NoError(t, s.Close())
				s, err = Open(dir, Options{Clock: func() time.Time { return t0 }})
				require.NoError(t, err)
				orphans, err := s.Orphans(t.Context())
				require.NoError(t, err)
				require.Len(t, orphans, 1)
				tr := engine.Next(&orphans[0], engine.End{Crashed: true}, t0)
				require.NoError(t, s.Finish(t.Context(), orphans[0].Ref(), tr))
				if n == c.restarts {
					break
				}
				require.Equal(t, installer.Pending, tr.State, "after %d", n)
			}
			inv, err := s.Invocation(t.Context(), project, "B1-0000")
			require.NoError(t, err)
			assert.Equal(t, installer.Failed, inv.State)
			assert.Equal(t, c.restarts, inv.AllCrashes)
			require.NoError(t, s.Close())
		})
	}
}
