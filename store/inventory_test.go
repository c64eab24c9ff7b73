package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/storetest"
)

var known = storetest.Known

func register(tb testing.TB, s *Store, entries ...installer.HostEntry) {
	tb.Helper()
	require.NoError(tb, s.RegisterHosts(tb.Context(), project, entries))
}

// passwordOf is what gets into the host, or "".
func passwordOf(tb testing.TB, s *Store, id string) string {
	tb.Helper()
	c, err := keptHostCredentials(tb.Context(), s, project, id)
	if isMissing(err) {
		return ""
	}
	require.NoError(tb, err)
	return c.Password.Reveal()
}

func hostsOf(tb testing.TB, s *Store, f installer.HostFilter) []installer.KnownHost {
	tb.Helper()
	page, err := s.Hosts(tb.Context(), project, f)
	require.NoError(tb, err)
	return page.Hosts
}

// keyCount is how many logins could be opened.
func keyCount(s *Store) int { return s.vault.Count() }

func TestImportedHostsAndTheirCredentialsStay(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(storetest.Dir(t), "state")
	s := openTest(t, dir, Options{})
	register(t, s, known("i-1", "10.0.0.1", "one"), known("i-2", "10.0.0.2", ""), known("", "10.0.0.3", "three"))
	require.NoError(t, s.Purge(t.Context(), t0.Add(100*365*24*time.Hour)))
	require.NoError(t, s.Close())

	s = openTest(t, dir, Options{})
	all := hostsOf(t, s, installer.HostFilter{})
	require.Len(t, all, 3)
	assert.Equal(t, []bool{true, true, false}, []bool{all[0].Login, all[1].Login, all[2].Login}, "host-… sorts before i-1")
	assert.Equal(t, installer.AgentUnknown, all[0].Agent)
	assert.Equal(t, installer.BMS, all[1].Type)
	assert.Equal(t, "one", passwordOf(t, s, "i-1"))
	assert.Equal(t, "three", passwordOf(t, s, installer.InstanceID(project, "10.0.0.3", 22)))
	_, err := keptHostCredentials(t.Context(), s, "another", "i-1")
	require.ErrorIs(t, err, installer.ErrNotFound)
}

// A task with a password of its own works with that one, and leaves alone what
// was imported.
func TestATaskLeavesWhatWasImported(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{KeepSucceeded: time.Hour})
	register(t, s, known("i-1", "10.0.0.1", "imported"))
	b := batch("B1", "i-1")
	b.Items[0].Invocation.Host.Name = "another"
	submit(t, s, b)
	inv := claim(t, s, t0, "")
	c, err := s.Credentials(t.Context(), inv)
	require.NoError(t, err)
	assert.Equal(t, "pw-i-1", c.Password.Reveal())
	finish(t, s, inv, installer.Succeeded)

	h := hostsOf(t, s, installer.HostFilter{})[0]
	assert.Equal(t, "named", h.Name)
	assert.Equal(t, installer.BMS, h.Type)
	assert.Equal(t, map[string]string{"env": "prod"}, h.Labels)
	assert.Equal(t, "imported", passwordOf(t, s, "i-1"))
}

func TestHostsThatJoinByThemselvesKeepTheirLabels(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	b := batch("B1", "h1")
	b.Items[0].Invocation.Host.Labels = map[string]string{"rack": "7"}
	submit(t, s, b)
	again := batch("B2", "h1")
	again.Items[0].Invocation.Host.Name = "later"
	submit(t, s, again)
	h := hostsOf(t, s, installer.HostFilter{})[0]
	assert.Equal(t, "later", h.Name)
	assert.Equal(t, map[string]string{"rack": "7"}, h.Labels)
}

func TestImportAgain(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	register(t, s, known("i-1", "10.0.0.1", "one"), known("i-2", "10.0.0.2", "two"), known("i-3", "10.0.0.3", "three"))
	require.Equal(t, 3, keyCount(s))

	register(t, s, known("i-1", "10.0.0.1", ""))
	assert.Equal(t, "one", passwordOf(t, s, "i-1"), "reached as before: the login stays")
	register(t, s, known("", "10.0.0.1", "1"))
	assert.Len(t, hostsOf(t, s, installer.HostFilter{}), 3, "the address keeps its id")
	assert.Equal(t, "1", passwordOf(t, s, "i-1"))
	register(t, s, known("i-1", "10.0.0.9", ""), known("i-2", "10.0.0.2", ""))
	assert.Empty(t, passwordOf(t, s, "i-1"), "another address: a login for it was not given")
	assert.Equal(t, "two", passwordOf(t, s, "i-2"))
	assert.Equal(t, "three", passwordOf(t, s, "i-3"))
	assert.Equal(t, 2, keyCount(s), "keys of what is gone are destroyed")

	swapped := []installer.HostEntry{known("i-2", "10.0.0.3", "2"), known("i-3", "10.0.0.2", "3")}
	register(t, s, swapped...)
	h, err := s.HostAt(t.Context(), project, swapped[0].Host)
	require.NoError(t, err)
	assert.Equal(t, "i-2", h.ID)
}

func TestImportTellsAllThatIsInTheWay(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	register(t, s, known("i-1", "10.0.0.1", ""))
	submit(t, s, batch("B1", "joined"))
	busy := batch("B2", "busy")
	busy.Items[0].Invocation.Host.Address = "10.0.0.5"
	submit(t, s, busy)
	entries := []installer.HostEntry{
		known("i-9", "10.0.0.1", ""), known("i-3", "10.0.0.3", ""), known("i-3", "10.0.0.4", ""),
		known("i-5", "10.0.0.3", ""), known("i-6", "10.0.0.5", ""),
	}
	for i := range entries {
		entries[i].Where = fmt.Sprint("line ", i)
	}
	err := s.RegisterHosts(t.Context(), project, entries)
	faults, ok := err.(installer.Faults)
	require.True(t, ok, "%v", err)
	require.Len(t, faults, 4, "%v", err)
	assert.Contains(t, faults[0].String(), "line 0: 10.0.0.1:22 is known as i-1")
	assert.Contains(t, faults[1].String(), "line 2: is known by the id i-3, which is there already: line 1")
	assert.Contains(t, faults[2].String(), "line 3: 10.0.0.3:22 is there already: line 1")
	assert.Contains(t, faults[3].String(), "line 4: is known as busy, and 1 tasks for it have not ended")
	assert.Len(t, hostsOf(t, s, installer.HostFilter{}), 3, "nothing was done")
}

// A user's id takes the place of that of a host that joined by itself, with
// what is known of its agent.
func TestImportTakesThePlaceOfAHostThatJoined(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	derived := installer.InstanceID(project, "10.0.0.1", 22)
	submit(t, s, batch("B1", derived))
	inv := claim(t, s, t0, "")
	require.NoError(t, s.Finish(t.Context(), inv.Ref(), installer.Transition{State: installer.Succeeded, EndAttempt: true, At: t0,
		Outcome: installer.Outcome{Agent: installer.AgentRunning, TargetVersion: "1.2.3"}}))
	register(t, s, known("i-1", "10.0.0.1", "mine"))
	all := hostsOf(t, s, installer.HostFilter{})
	require.Len(t, all, 1)
	assert.Equal(t, "i-1", all[0].ID)
	assert.Equal(t, installer.AgentRunning, all[0].Agent)
	assert.Equal(t, "1.2.3", all[0].Version)
	h, err := s.HostAt(t.Context(), project, all[0].Host)
	require.NoError(t, err)
	assert.Equal(t, "i-1", h.ID)
}

// An id that is imported for another machine: nothing of the old one counts for
// the new one.
func TestImportForAnotherMachine(t *testing.T) {
	t.Parallel()
	through := func(e installer.HostEntry, port uint16) installer.HostEntry {
		e.Host.Via = []installer.Endpoint{{Address: "10.9.0.1", Port: port, User: "ops"}}
		return e
	}
	elsewhere := known("i-1", "10.0.0.9", "")
	otherPort := known("i-1", "10.0.0.1", "")
	otherPort.Host.Port = 2222
	otherUser := known("i-1", "10.0.0.1", "new")
	otherUser.Host.User = "admin"
	for name, row := range map[string]struct {
		before, after installer.HostEntry
		same          bool
	}{
		"address":   {before: known("i-1", "10.0.0.1", "old"), after: elsewhere},
		"port":      {before: known("i-1", "10.0.0.1", "old"), after: otherPort},
		"a hop":     {before: known("i-1", "10.0.0.1", "old"), after: through(known("i-1", "10.0.0.1", ""), 22)},
		"its port":  {before: through(known("i-1", "10.0.0.1", "old"), 22), after: through(known("i-1", "10.0.0.1", ""), 23)},
		"only user": {before: known("i-1", "10.0.0.1", "old"), after: otherUser, same: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTest(t, Options{KeepSucceeded: time.Hour})
			register(t, s, row.before)
			b := batch("B1", "i-1")
			b.Items[0].Invocation.Host = row.before.Host
			submit(t, s, b)
			err := s.RegisterHosts(t.Context(), project, []installer.HostEntry{row.after})
			if !row.same {
				require.ErrorContains(t, err, "10.0.0.1:22 is known as i-1, and 1 tasks for it have not ended")
				assert.Equal(t, row.before.Host.Endpoint, hostsOf(t, s, installer.HostFilter{})[0].Endpoint, "nothing was done")
			} else {
				require.NoError(t, err, "the same machine")
			}
			inv := claim(t, s, t0, "")
			require.NoError(t, s.Finish(t.Context(), inv.Ref(), installer.Transition{State: installer.Succeeded, EndAttempt: true, At: t0,
				Outcome: installer.Outcome{Agent: installer.AgentRunning, TargetVersion: "1.2.3"}}))
			register(t, s, row.after)
			h := hostsOf(t, s, installer.HostFilter{})[0]
			if row.same {
				assert.Equal(t, installer.AgentRunning, h.Agent)
				assert.Equal(t, "1.2.3", h.Version)
				assert.Equal(t, "new", passwordOf(t, s, "i-1"))
				return
			}
			assert.Equal(t, installer.AgentUnknown, h.Agent)
			assert.Empty(t, h.Version)
			assert.Zero(t, h.Verified)
			assert.False(t, h.Login)
			assert.Empty(t, passwordOf(t, s, "i-1"))
		})
	}
}

// An installer is not moved: others are reached through it.
func TestImportMovesNoInstaller(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	register(t, s, known("i-1", "10.0.0.1", "one"))
	b := batch("B1", "i-1")
	b.Items[0].Invocation.Type = installer.SetRemoteInstaller
	submit(t, s, b)
	finish(t, s, claim(t, s, t0, ""), installer.Succeeded)
	err := s.RegisterHosts(t.Context(), project, []installer.HostEntry{known("i-1", "10.0.0.9", "")})
	require.ErrorContains(t, err, "10.0.0.1:22 is known as the jump host i-1: remove that first")
	assert.Equal(t, "10.0.0.1", hostsOf(t, s, installer.HostFilter{})[0].Address)
	register(t, s, known("i-1", "10.0.0.1", "another"))
	assert.Equal(t, "another", passwordOf(t, s, "i-1"))

	require.NoError(t, s.RemoveHosts(t.Context(), project, []string{"i-1"}))
	register(t, s, known("i-1", "10.0.0.9", ""))
	assert.Empty(t, passwordOf(t, s, "i-1"))
}

// One that moves to where another joined by itself: what is known of the agent
// there is that one's.
func TestImportMovesToAHostThatJoined(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	register(t, s, known("i-1", "10.0.0.5", ""))
	for n, version := range []string{"of-1", "of-2"} {
		b := batch(fmt.Sprint("B", n), []string{"i-1", "joined"}[n])
		b.Items[0].Invocation.Host.Address = []string{"10.0.0.5", "10.0.0.6"}[n]
		submit(t, s, b)
		require.NoError(t, s.Finish(t.Context(), claim(t, s, t0, "").Ref(), installer.Transition{State: installer.Succeeded, EndAttempt: true, At: t0,
			Outcome: installer.Outcome{Agent: installer.AgentRunning, TargetVersion: version}}))
	}
	register(t, s, known("i-1", "10.0.0.6", ""))
	all := hostsOf(t, s, installer.HostFilter{})
	require.Len(t, all, 1)
	assert.Equal(t, "of-2", all[0].Version)
}

// Where a host gave way to a given id, or an id moved, no login is left behind
// that a removal by the id would not find, not even for a retry of what was done.
func TestNoLoginStaysOfWhatGaveWay(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
	derived := installer.InstanceID(project, "10.0.0.1", 22)
	b := batch("B1", derived, "other")
	b.Items[1].Invocation.Host.Address = "10.0.0.2"
	submit(t, s, b)
	var joined, other *installer.Invocation
	for range 2 {
		inv := claim(t, s, t0, "")
		finish(t, s, inv, installer.Failed)
		if inv.Host.ID == derived {
			joined = inv
		} else {
			other = inv
		}
	}
	require.NotNil(t, joined)
	password := func(inv *installer.Invocation) string {
		c, err := s.Credentials(t.Context(), inv)
		if isMissing(err) {
			return ""
		}
		require.NoError(t, err)
		return c.Password.Reveal()
	}
	require.Equal(t, "pw-"+derived, password(joined))
	register(t, s, known("i-1", joined.Host.Address, "mine"))
	require.Empty(t, hostsOf(t, s, installer.HostFilter{IDs: []string{derived}}))
	assert.Empty(t, password(joined))

	submit(t, s, batch("B2", "i-1"))
	moved := claim(t, s, t0, "")
	finish(t, s, moved, installer.Failed)
	require.Equal(t, "pw-i-1", password(moved))
	register(t, s, known("i-1", "10.0.0.9", "there"))
	assert.Empty(t, password(moved))

	require.NoError(t, s.RemoveHosts(t.Context(), project, []string{"i-1"}))
	assert.Empty(t, password(joined))
	assert.Empty(t, password(moved))
	assert.Equal(t, "pw-other", password(other), "another host's, of the same batch")
}

func TestRemoveHosts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(storetest.Dir(t), "state")
	s := openTest(t, dir, Options{KeepSucceeded: time.Hour})
	register(t, s, known("i-1", "10.0.0.1", "one"), known("i-2", "10.0.0.2", "two"))
	submit(t, s, batch("B1", "i-1"))
	err := s.RemoveHosts(t.Context(), project, []string{"i-1", "i-2", "i-3"})
	require.ErrorIs(t, err, installer.ErrInUse)
	require.ErrorIs(t, err, installer.ErrNotFound)
	assert.ErrorContains(t, err, "i-3")
	assert.Len(t, hostsOf(t, s, installer.HostFilter{}), 2, "none was removed")

	inv := claim(t, s, t0, "")
	finish(t, s, inv, installer.Succeeded)
	yesterday, err := os.ReadFile(s.path(dbName))
	require.NoError(t, err)
	require.NoError(t, s.RemoveHosts(t.Context(), project, []string{"i-1"}))
	_, err = keptHostCredentials(t.Context(), s, project, "i-1")
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = s.Credentials(t.Context(), inv)
	require.True(t, isMissing(err), "those of its tasks are gone too: %v", err)
	_, err = s.HostAt(t.Context(), project, known("", "10.0.0.1", "").Host)
	require.ErrorIs(t, err, installer.ErrNotFound)
	assert.Equal(t, "two", passwordOf(t, s, "i-2"), "which was imported with it")
	_, err = s.Invocation(t.Context(), project, inv.ID)
	require.NoError(t, err, "what was done stays")

	// Today's keys do not open yesterday's database.
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, dbName), yesterday, 0o600))
	s = openTest(t, dir, Options{KeepSucceeded: time.Hour})
	k := hostsOf(t, s, installer.HostFilter{IDs: []string{"i-1"}})
	require.Len(t, k, 1, "yesterday it was known")
	assert.True(t, k[0].Login)
	assert.Empty(t, passwordOf(t, s, "i-1"), "neither what it was imported with, nor its task's")
	assert.Equal(t, "two", passwordOf(t, s, "i-2"), "it was not to be forgotten")
}

func TestRemoveAnInstaller(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	register(t, s, known("i-1", "10.0.0.1", "one"))
	b := batch("B1", "i-1")
	b.Items[0].Invocation.Type = installer.SetRemoteInstaller
	submit(t, s, b)
	finish(t, s, claim(t, s, t0, ""), installer.Succeeded)
	require.True(t, hostsOf(t, s, installer.HostFilter{})[0].JumpHost)
	require.NoError(t, s.RemoveHosts(t.Context(), project, []string{"i-1"}))
	installers, err := s.JumpHosts(t.Context(), project)
	require.NoError(t, err)
	assert.Empty(t, installers)
	assert.Zero(t, keyCount(s))
}

func TestWhatIsFoundOfTheAgent(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	n := 0
	work := func(change func(*installer.Invocation), state installer.State, o installer.Outcome) installer.KnownHost {
		n++
		b := batch(fmt.Sprint("B", n), "h1")
		change(&b.Items[0].Invocation)
		submit(t, s, b)
		inv := claim(t, s, t0, "")
		at := t0.Add(time.Duration(n) * time.Minute)
		require.NoError(t, s.Finish(t.Context(), inv.Ref(), installer.Transition{State: state, EndAttempt: true, At: at, Outcome: o}))
		h := hostsOf(t, s, installer.HostFilter{})[0]
		return h
	}
	same := func(*installer.Invocation) {}
	h := work(same, installer.Succeeded, installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "1", TargetVersion: "2"})
	assert.Equal(t, installer.AgentRunning, h.Agent)
	assert.Equal(t, "2", h.Version)
	assert.True(t, h.Verified.Equal(t0.Add(time.Minute)))
	h = work(same, installer.Failed, installer.Outcome{})
	assert.Equal(t, "2", h.Version, "it was not looked for")
	assert.True(t, h.Verified.Equal(t0.Add(time.Minute)))
	h = work(func(i *installer.Invocation) { i.Spec.CheckOnly = true }, installer.Succeeded, installer.Outcome{Agent: installer.AgentStopped, CurrentVersion: "3"})
	assert.Equal(t, installer.AgentStopped, h.Agent)
	assert.Equal(t, "3", h.Version)
	h = work(same, installer.Failed, installer.Outcome{Agent: installer.AgentFault, CurrentVersion: "3"})
	assert.Equal(t, installer.AgentFault, h.Agent)
	h = work(func(i *installer.Invocation) { i.Type = installer.Rollback }, installer.Succeeded, installer.Outcome{CurrentVersion: "3"})
	assert.Equal(t, installer.AgentNone, h.Agent, "it was uninstalled")
	assert.Empty(t, h.Version)
}

// TestKeptLoginStaysWithItsMachine: work that brings no login cannot point a
// host, and so what is kept for it, to another machine.
func TestKeptLoginStaysWithItsMachine(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{KeepSucceeded: time.Hour})
	submit(t, s, batch("B1", "h1"))
	elsewhere := batch("B2", "h1")
	elsewhere.Items[0].Invocation.Host.Address = "198.51.100.66"
	elsewhere.Items[0].Credentials = installer.Credentials{}
	submit(t, s, elsewhere)
	host, err := s.KnownHost(t.Context(), project, "h1")
	require.NoError(t, err)
	assert.Equal(t, "10.0.0.1", host.Address)

	// Nor does what is found there count for it.
	finish(t, s, claim(t, s, t0, "B1"), installer.Failed)
	inv := claim(t, s, t0, "B2")
	require.NoError(t, s.Finish(t.Context(), inv.Ref(), installer.Transition{
		State: installer.Succeeded, EndAttempt: true, At: t0, Outcome: installer.Outcome{Agent: installer.AgentRunning, TargetVersion: "9"},
	}))
	page, err := s.Hosts(t.Context(), project, installer.HostFilter{})
	require.NoError(t, err)
	require.Len(t, page.Hosts, 1)
	assert.Empty(t, page.Hosts[0].Version)
}
