package store

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// verified is a task on h1 that has found an agent.
func verified(t *testing.T, s *Store, inv *installer.Invocation, version string) {
	t.Helper()
	require.NoError(t, s.Finish(t.Context(), inv.Ref(), installer.Transition{
		State: installer.Succeeded, EndAttempt: true, At: t0,
		Outcome: installer.Outcome{Agent: installer.AgentRunning, TargetVersion: version},
	}))
}

// TestAFirstInstallerDoesNotMakeKnownHostsStrangers, also where the login that the
// host was known with is erased by then.
func TestAFirstInstallerDoesNotMakeKnownHostsStrangers(t *testing.T) {
	t.Parallel()
	through := func(i *installer.Invocation) { i.Host.RouteChoice = &installer.RouteChoice{} }
	for name, tc := range map[string]struct {
		pinned bool
		given  string // for the new way
		policy installer.HostKeyPolicy
		same   bool
	}{
		"same key":         {true, "", installer.AcceptNew, true},
		"another one":      {true, "ssh-ed25519 BBBB", installer.AcceptNew, false},
		"no key":           {false, "", installer.AcceptNew, false},
		"keys not checked": {true, "", installer.Insecure, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTest(t, Options{}) // keeps nothing
			direct := given(t, s, "B1", "right", func(i *installer.Invocation) { i.Spec.Target = installer.TargetTelescope })
			if tc.pinned {
				require.NoError(t, s.PinKey(t.Context(), project, direct.Host.HostPort(), "ssh-ed25519 AAAA"))
			}
			verified(t, s, direct, "2.7.2")
			setUp(t, s, "jump", "10.9.0.1", "of jump", nil)

			by := given(t, s, "B2", "right", through)
			h := hostsOf(t, s, installer.HostFilter{IDs: []string{"h1"}})[0]
			assert.Nil(t, h.RouteChoice, "nobody has been there")
			assert.Equal(t, "2.7.2", h.Version)
			ended(t, s, by, installer.KindRefused)
			h = hostsOf(t, s, installer.HostFilter{IDs: []string{"h1"}})[0]
			assert.Equal(t, "2.7.2", h.Version)
			assert.Equal(t, t0, h.Verified.UTC())

			by = given(t, s, "B3", "right", through, func(i *installer.Invocation) { i.Host.HostKey, i.Spec.HostKeys = tc.given, tc.policy })
			ended(t, s, by, "")
			h = hostsOf(t, s, installer.HostFilter{IDs: []string{"h1"}})[0]
			assert.NotNil(t, h.RouteChoice)
			assert.Equal(t, tc.same, h.Version == "2.7.2")
			assert.Equal(t, tc.same, !h.Verified.IsZero())
			_, _, err := s.FollowUp(t.Context(), installer.Rollback, direct)
			assert.Equal(t, tc.same, errors.Is(err, installer.ErrSuperseded), "what was done there since would be undone too")
			if tc.policy == installer.AcceptNew {
				same, err := s.SameMachine(t.Context(), project, direct.Host, by.Host)
				require.NoError(t, err)
				assert.Equal(t, tc.same, same != installer.OtherMachine)
			}
			same, err := s.SameMachine(t.Context(), "another", direct.Host, by.Host)
			require.NoError(t, err)
			assert.Equal(t, installer.OtherMachine, same)
		})
	}
}

// TestARetryByTheNewRouteKeepsItsLogin: what could not get there is done again
// with its own login, by its own way.
func TestARetryByTheNewRouteKeepsItsLogin(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
	direct := given(t, s, "B1", "right")
	ended(t, s, direct, "")
	by := given(t, s, "B2", "through", func(i *installer.Invocation) { i.Host.RouteChoice = &installer.RouteChoice{} })
	ended(t, s, by, installer.KindRefused)
	h, c, err := s.CredentialsAgain(t.Context(), by)
	require.NoError(t, err)
	assert.NotNil(t, h.RouteChoice)
	assert.Equal(t, "through", c.Password.Reveal())
	h, c, err = s.CredentialsAgain(t.Context(), direct)
	require.NoError(t, err)
	assert.Nil(t, h.RouteChoice)
	assert.Equal(t, "right", c.Password.Reveal())
}
