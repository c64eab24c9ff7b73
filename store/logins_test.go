package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
)

// given submits a task for h1 with this password, and claims it.
func given(t *testing.T, s *Store, id, password string, change ...func(*installer.Invocation)) *installer.Invocation {
	t.Helper()
	b := batch(id, "h1")
	b.Items[0].Credentials.Password = secret(password)
	for _, c := range change {
		c(&b.Items[0].Invocation)
	}
	submit(t, s, b)
	return claim(t, s, t0, id)
}

// ended is a task whose login the host has taken or not.
func ended(t *testing.T, s *Store, inv *installer.Invocation, kind installer.Kind) {
	t.Helper()
	connect := installer.StepRecord{Step: installer.StepConnect}
	tr := installer.Transition{State: installer.Succeeded, EndAttempt: true, At: t0}
	if kind != "" {
		tr.State, tr.Kind = installer.Failed, kind
	}
	if kind.Info().Step == installer.StepConnect {
		connect.Kind = kind
	}
	tr.Steps = []installer.StepRecord{connect}
	require.NoError(t, s.Finish(t.Context(), inv.Ref(), tr))
}

// again is what a RETRY of inv is done with: "user@address password".
func again(t *testing.T, s *Store, inv *installer.Invocation) string {
	t.Helper()
	h, c, err := s.CredentialsAgain(t.Context(), inv)
	if isMissing(err) {
		return ""
	}
	require.NoError(t, err)
	return h.User + "@" + h.Address + " " + c.Password.Reveal()
}

// TestAMistypedPasswordReplacesNothing: what is kept for a host changes when the
// host has accepted another login, and not when one is given.
func TestAMistypedPasswordReplacesNothing(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
	first := given(t, s, "B1", "not tried")
	assert.Equal(t, "not tried", passwordOf(t, s, "h1"), "nothing better is known")
	ended(t, s, first, installer.KindUnreachable)
	assert.Equal(t, "not tried", passwordOf(t, s, "h1"))

	wrong := given(t, s, "B2", "wrong")
	ended(t, s, wrong, installer.KindAuthRejected)
	assert.Equal(t, "wrong", passwordOf(t, s, "h1"), "the newest, where none was ever accepted")
	assert.Equal(t, "root@10.0.0.1 wrong", again(t, s, wrong), "its own RETRY")

	right := given(t, s, "B3", "right")
	assert.Equal(t, "right", passwordOf(t, s, "h1"))
	require.NoError(t, s.Journal(t.Context(), right.Ref(),
		installer.StepRecord{Step: installer.StepConnect}, installer.StepRecord{Step: installer.StepProbe}))
	mistyped := given(t, s, "B4", "mistyped")
	require.Nil(t, mistyped, "the host is busy")
	assert.Equal(t, "right", passwordOf(t, s, "h1"), "it was let in with that one")
	ended(t, s, right, installer.KindScriptFailed)
	mistyped = claim(t, s, t0, "B4")
	c, err := s.Credentials(t.Context(), mistyped)
	require.NoError(t, err)
	assert.Equal(t, "mistyped", c.Password.Reveal(), "the task's own")
	ended(t, s, mistyped, installer.KindAuthRejected)
	assert.Equal(t, "right", passwordOf(t, s, "h1"))
	assert.Equal(t, "root@10.0.0.1 mistyped", again(t, s, mistyped))
	assert.Equal(t, "root@10.0.0.1 right", again(t, s, wrong), "a better one is known since")

	// Not even when the accepted one is gone.
	require.NoError(t, s.View(t.Context(), func(t *inventory.Tx) error {
		var row map[string]any
		_, err := kv.ReadRow(t.Get(inventory.THosts, kv.Join(project, "h1")), &row)
		if err == nil && row["given"] != nil {
			err = fmt.Errorf("a rejected login is kept as the host's: %v", row["given"])
		}
		return err
	}))

	newer := given(t, s, "B5", "newer")
	assert.Equal(t, "right", passwordOf(t, s, "h1"))
	ended(t, s, newer, "")
	assert.Equal(t, "newer", passwordOf(t, s, "h1"))
	assert.Equal(t, "root@10.0.0.1 newer", again(t, s, mistyped))

	register(t, s, known("h1", "10.0.0.1", "imported"))
	assert.Equal(t, "imported", passwordOf(t, s, "h1"))
	later := given(t, s, "B6", "later", func(i *installer.Invocation) { i.Created = t0.Add(time.Minute) })
	ended(t, s, later, "")
	assert.Equal(t, "imported", passwordOf(t, s, "h1"))
	assert.Equal(t, "root@10.0.0.1 later", again(t, s, later))
	assert.Equal(t, "root@10.0.0.1 newer", func() string {
		require.NoError(t, s.RemoveHosts(t.Context(), project, []string{"h1"}))
		n := given(t, s, "B7", "newer")
		ended(t, s, n, installer.KindScriptFailed)
		return again(t, s, n)
	}())
}

// TestAJumpHostsRefusalTellsNothingOfTheHost: the login of the host may be right, and is kept.
func TestAJumpHostsRefusalTellsNothingOfTheHost(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
	ended(t, s, given(t, s, "B1", "right"), "")
	behind := given(t, s, "B2", "newer")
	assert.Equal(t, "right", passwordOf(t, s, "h1"))
	require.NoError(t, s.Finish(t.Context(), behind.Ref(), installer.Transition{
		State: installer.Failed, Kind: installer.KindAuthRejected, EndAttempt: true, At: t0,
		Steps: []installer.StepRecord{{Step: installer.StepConnect, Kind: installer.KindAuthRejected, JumpHost: true}},
	}))
	require.NoError(t, s.View(t.Context(), func(t *inventory.Tx) error {
		var row map[string]any
		_, err := kv.ReadRow(t.Get(inventory.THosts, kv.Join(project, "h1")), &row)
		if err == nil && row["given"] == nil {
			err = errors.New("the newer login is taken for rejected")
		}
		return err
	}))
}

// TestAMistypedSudoPasswordReplacesNothing: sshd takes the login, and sudo does not
// take what came with it.
func TestAMistypedSudoPasswordReplacesNothing(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
	ended(t, s, given(t, s, "B1", "right"), "")
	for _, journal := range []bool{false, true} { // once at its end, and step by step
		id := fmt.Sprint("B2-", journal)
		inv := given(t, s, id, "with a mistyped sudo password")
		if journal {
			require.NoError(t, s.Journal(t.Context(), inv.Ref(), installer.StepRecord{Step: installer.StepConnect}))
			assert.Equal(t, "right", passwordOf(t, s, "h1"), "sudo was not asked yet")
			require.NoError(t, s.Journal(t.Context(), inv.Ref(), installer.StepRecord{Step: installer.StepProbe, Kind: installer.KindSudoDenied}))
		}
		ended(t, s, inv, installer.KindSudoDenied)
		assert.Equal(t, "right", passwordOf(t, s, "h1"))
		assert.Equal(t, "root@10.0.0.1 with a mistyped sudo password", again(t, s, inv), "its own RETRY")
	}
	ended(t, s, given(t, s, "B3", "newer"), installer.KindNoSpace)
	assert.Equal(t, "newer", passwordOf(t, s, "h1"), "it is the host that will not do")
}

// A mistyped user, or another way, moves the known host no more than a mistyped
// password does.
func TestAMistypedUserMovesNothing(t *testing.T) {
	t.Parallel()
	hop := []installer.Endpoint{{Address: "10.9.0.1", Port: 22, User: "ops"}}
	for name, change := range map[string]func(*installer.Invocation){
		"user":    func(i *installer.Invocation) { i.Host.User = "rot" },
		"address": func(i *installer.Invocation) { i.Host.Address = "10.0.0.66" },
		"hop":     func(i *installer.Invocation) { i.Host.Via = hop },
		"pin":     func(i *installer.Invocation) { i.Host.HostKey = "SHA256:x" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTest(t, Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
			right := given(t, s, "B1", "right")
			ended(t, s, right, "")
			other := given(t, s, "B2", "other", change)
			require.False(t, other.Host.SameRoute(right.Host))
			h := hostsOf(t, s, installer.HostFilter{})[0]
			assert.True(t, h.SameRoute(right.Host), "%+v", h.Host)
			assert.Equal(t, "right", passwordOf(t, s, "h1"))
			ended(t, s, other, installer.KindAuthRejected)
			assert.Equal(t, "right", passwordOf(t, s, "h1"))

			other = given(t, s, "B3", "other", change)
			ended(t, s, other, "")
			h = hostsOf(t, s, installer.HostFilter{})[0]
			assert.True(t, h.SameRoute(other.Host), "it was let in there")
			assert.Equal(t, "other", passwordOf(t, s, "h1"))
			_, err := s.HostCredentials(t.Context(), project, right.Host)
			assert.True(t, isMissing(err), "not for there any more: %v", err)
		})
	}
}

// TestLoginIsNotOfAHostThatHasMovedSince: the login of a task goes where the task
// was to go, whatever the id names meanwhile.
func TestLoginIsNotOfAHostThatHasMovedSince(t *testing.T) {
	t.Parallel()
	to := func(address string) func(*installer.Invocation) {
		return func(i *installer.Invocation) { i.Host.Address = address }
	}
	t.Run("between submit and claim", func(t *testing.T) {
		t.Parallel()
		s := newTest(t, Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
		waits := batch("B1", "h1")
		submit(t, s, waits)
		submit(t, s, func() installer.Batch {
			b := batch("B2", "h1")
			b.Items[0].Credentials.Password = secret("of B")
			to("10.0.0.66")(&b.Items[0].Invocation)
			return b
		}())
		b := claim(t, s, t0, "B2")
		ended(t, s, b, "")
		inv := claim(t, s, t0, "B1")
		c, err := s.Credentials(t.Context(), inv)
		require.NoError(t, err)
		assert.Equal(t, "10.0.0.1", inv.Host.Address)
		assert.Equal(t, "pw-h1", c.Password.Reveal())
		assert.Equal(t, "of B", passwordOf(t, s, "h1"))
		_, err = s.HostCredentials(t.Context(), project, inv.Host)
		assert.True(t, isMissing(err), "nothing is kept for there: %v", err)
	})
	t.Run("imported anew", func(t *testing.T) {
		t.Parallel()
		s := newTest(t, Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
		old := given(t, s, "B1", "old")
		ended(t, s, old, installer.KindScriptFailed)
		register(t, s, known("h1", "10.0.0.66", "new"))
		_, err := s.Credentials(t.Context(), old)
		assert.True(t, isMissing(err), "it is another machine: %v", err)
		// Who asks tells by the host that is named.
		assert.Equal(t, "root@10.0.0.66 new", again(t, s, old))
		_, err = s.HostCredentials(t.Context(), project, old.Host)
		assert.True(t, isMissing(err), "%v", err)
	})
	t.Run("another user or pin", func(t *testing.T) {
		t.Parallel()
		for _, change := range []func(*installer.Host){
			func(h *installer.Host) { h.User = "admin" },
			func(h *installer.Host) { h.HostKey = "SHA256:other" },
		} {
			now := t0
			s := newTest(t, Options{KeepSucceeded: time.Hour, KeepOther: time.Hour, Clock: func() time.Time { return now }})
			register(t, s, known("h1", "10.0.0.1", "imported"))
			now = t0.Add(time.Minute)
			old := given(t, s, "B1", "old")
			e := known("h1", "10.0.0.1", "")
			change(&e.Host)
			register(t, s, e)
			assert.Empty(t, passwordOf(t, s, "h1"), "neither the imported one nor the task's")
			c, err := s.Credentials(t.Context(), old)
			require.NoError(t, err)
			assert.Equal(t, "old", c.Password.Reveal(), "where the task was to go")
			ended(t, s, old, "")
			assert.Empty(t, passwordOf(t, s, "h1"))
			h, _, err := s.CredentialsAgain(t.Context(), old)
			assert.True(t, isMissing(err), "the user has said since how it is reached: %v", err)
			assert.True(t, h.SameRoute(e.Host))
		}
	})
	t.Run("an installer", func(t *testing.T) {
		t.Parallel()
		s := newTest(t, Options{})
		inv := given(t, s, "B1", "jump", func(i *installer.Invocation) { i.Type = installer.SetRemoteInstaller })
		ended(t, s, inv, "")
		assert.Equal(t, "jump", passwordOf(t, s, "h1"))
		c, err := keptInstallerCredentials(t.Context(), s, project, "h1")
		require.NoError(t, err)
		assert.Equal(t, "jump", c.Password.Reveal())
		for _, change := range []func(*installer.Host){
			func(h *installer.Host) { h.Address = "10.0.0.66" },
			func(h *installer.Host) { h.User = "admin" },
			func(h *installer.Host) { h.HostKey = "SHA256:x" },
		} {
			h := inv.Host
			change(&h)
			_, err = s.HostCredentials(t.Context(), project, h)
			assert.True(t, isMissing(err), "%v", err)
		}
	})
}

// TestLoginsStayWhileNeighboursGo: a login is found at any moment while others of
// its batch are removed.
func TestLoginsStayWhileNeighboursGo(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
	var entries []installer.HostEntry
	var names []string
	for i := range 20 {
		id := fmt.Sprintf("i-%02d", i)
		entries, names = append(entries, known(id, fmt.Sprintf("10.0.1.%d", i), "pw")), append(names, id)
	}
	register(t, s, entries...)
	b := batch("B1", names...)
	for i := range b.Items {
		b.Items[i].Invocation.Host.Address = entries[i].Host.Address
	}
	submit(t, s, b)
	var last *installer.Invocation
	for range names {
		last = claim(t, s, t0, "")
		finish(t, s, last, installer.Failed)
	}
	var removing sync.WaitGroup
	done := make(chan struct{})
	removing.Go(func() {
		defer close(done)
		for _, id := range names[:19] {
			assert.NoError(t, s.RemoveHosts(t.Context(), project, []string{id}))
		}
	})
	defer removing.Wait()
	for going := true; going; {
		select {
		case <-done:
			going = false
		default:
		}
		require.Equal(t, "pw", passwordOf(t, s, last.Host.ID))
		c, err := s.Credentials(t.Context(), last)
		require.NoError(t, err)
		require.Equal(t, "pw-i-19", c.Password.Reveal())
	}
	assert.Equal(t, 2, keyCount(s), "the imported one, and that of its task")
}
