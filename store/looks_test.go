package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// lookRig is a store with an imported host that can be looked at, and one without a login.
func lookRig(t *testing.T) (*Store, *installer.Invocation) {
	t.Helper()
	s := newTest(t, Options{})
	all := []installer.HostEntry{
		{Host: installer.Host{ID: "i-1", Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 22, User: "root"}}},
		{Host: installer.Host{ID: "i-2", Endpoint: installer.Endpoint{Address: "10.0.0.2", Port: 22, User: "root"}}},
	}
	all[0].Credentials.Password = secret("kept")
	require.NoError(t, s.RegisterHosts(t.Context(), project, all))
	return s, &installer.Invocation{
		ID: "look-1", BatchID: "look-1", ProjectID: project, Type: installer.Install, Created: t0, Host: all[0].Host,
		Spec: installer.Spec{Target: installer.TargetTelescope, CheckOnly: true, HostKeys: installer.AcceptNew},
	}
}

func lookHosts(t *testing.T, s *Store) []installer.LookHost {
	t.Helper()
	all, err := s.LookHosts(t.Context())
	require.NoError(t, err)
	return all
}

var foundRunning = installer.Transition{
	State: installer.Succeeded, EndAttempt: true, At: t0.Add(time.Minute),
	Outcome: installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "1.0"},
}

func lookFailed(kind installer.Kind) installer.Transition {
	return installer.Transition{State: installer.Failed, EndAttempt: true, At: t0.Add(time.Minute), Kind: kind}
}

func TestALookTellsOfTheAgent(t *testing.T) {
	t.Parallel()
	s, look := lookRig(t)
	require.Equal(t, []installer.LookHost{{Project: project, ID: "i-1"}}, lookHosts(t, s), "the other has no login")
	begun, err := s.BeginLook(t.Context(), look)
	require.NoError(t, err)
	require.True(t, begun)
	require.NoError(t, s.EndLook(t.Context(), look, foundRunning))

	page, err := s.Hosts(t.Context(), project, installer.HostFilter{IDs: []string{"i-1"}})
	require.NoError(t, err)
	h := page.Hosts[0]
	assert.Equal(t, installer.AgentRunning, h.Agent)
	assert.Equal(t, "1.0", h.Version)
	assert.True(t, h.Verified.Equal(foundRunning.At))
	assert.True(t, lookHosts(t, s)[0].Seen.Equal(foundRunning.At))

	found, err := s.Invocations(t.Context(), installer.Filter{ProjectID: project})
	require.NoError(t, err)
	assert.Zero(t, found.Count, "it is no task")
	entries, err := s.Audit(t.Context(), installer.AuditFilter{Project: project})
	require.NoError(t, err)
	last := entries[len(entries)-1]
	assert.Equal(t, installer.AuditBegin, last.Action)
	assert.Equal(t, []string{"daemon", "agent check", look.ID}, []string{last.By, last.Detail, last.Invocation})
}

func TestALookThatFails(t *testing.T) {
	t.Parallel()
	s, look := lookRig(t)
	require.NoError(t, s.EndLook(t.Context(), look, foundRunning))
	for n := 1; n <= 2; n++ {
		look.Created = foundRunning.At
		require.NoError(t, s.EndLook(t.Context(), look, lookFailed(installer.KindUnreachable)))
		assert.Equal(t, n, lookHosts(t, s)[0].Failed)
	}
	require.NoError(t, s.EndLook(t.Context(), look, foundRunning))
	assert.Zero(t, lookHosts(t, s)[0].Failed)

	// A jump host that refuses its own login has said nothing of the host's.
	tr := lookFailed(installer.KindAuthRejected)
	tr.Steps = []installer.StepRecord{{Step: installer.StepConnect, Kind: installer.KindAuthRejected, JumpHost: true}}
	require.NoError(t, s.EndLook(t.Context(), look, tr))
	assert.Equal(t, 1, lookHosts(t, s)[0].Failed)

	// A login that is refused is not sent again, until there is another.
	require.NoError(t, s.EndLook(t.Context(), look, lookFailed(installer.KindAuthRejected)))
	assert.Empty(t, lookHosts(t, s))
	entries, err := s.Audit(t.Context(), installer.AuditFilter{Project: project})
	require.NoError(t, err)
	last := entries[len(entries)-1]
	assert.Equal(t, installer.AuditEnd, last.Action)
	assert.Equal(t, installer.Failed, last.Outcome)
	assert.Equal(t, installer.KindAuthRejected, last.Kind)
	again := []installer.HostEntry{{Host: look.Host}}
	again[0].Credentials.Password = secret("another")
	require.NoError(t, s.RegisterHosts(t.Context(), project, again))
	assert.Len(t, lookHosts(t, s), 1)
}

// What a task has found since the look began counts, and what it may be changing is not looked at.
func TestTasksCountMoreThanLooks(t *testing.T) {
	t.Parallel()
	s, look := lookRig(t)
	b := batch("B1", "i-1")
	b.Items[0].Invocation.Host = look.Host
	b.Items[0].Credentials.Password = secret("kept")
	submit(t, s, b)
	waits, err := s.WorkWaits(t.Context(), t0)
	require.NoError(t, err)
	assert.True(t, waits)
	begun, err := s.BeginLook(t.Context(), look)
	require.NoError(t, err)
	assert.False(t, begun)
	require.NoError(t, s.EndLook(t.Context(), look, foundRunning))
	assert.True(t, lookHosts(t, s)[0].Seen.IsZero(), "it began before the task, and ends while that is open")

	inv := claim(t, s, t0, "B1")
	waits, err = s.WorkWaits(t.Context(), t0)
	require.NoError(t, err)
	assert.False(t, waits)
	tr := foundRunning
	tr.At, tr.Outcome = t0.Add(time.Hour), installer.Outcome{Agent: installer.AgentNone}
	require.NoError(t, s.Finish(t.Context(), inv.Ref(), tr))
	require.NoError(t, s.EndLook(t.Context(), look, foundRunning))
	page, err := s.Hosts(t.Context(), project, installer.HostFilter{IDs: []string{"i-1"}})
	require.NoError(t, err)
	assert.Equal(t, installer.AgentNone, page.Hosts[0].Agent)
}

func TestManyLookHosts(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	var all []installer.HostEntry
	for i := range 2*looksAtOnce + 1 {
		at := installer.Endpoint{Address: "10.0.0.1", Port: uint16(i + 1), User: "root"}
		e := installer.HostEntry{Host: installer.Host{ID: fmt.Sprint("h-", i), Endpoint: at}}
		e.Credentials.Password = secret("kept")
		all = append(all, e)
	}
	require.NoError(t, s.RegisterHosts(t.Context(), project, all))
	seen := map[string]bool{}
	for _, h := range lookHosts(t, s) {
		seen[h.ID] = true
	}
	assert.Len(t, seen, len(all))
}
