package installer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

var t0 = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// tried returns an invocation in its n-th attempt.
func tried(n int) *installer.Invocation {
	attempts := make([]installer.Attempt, n)
	for i := range attempts {
		attempts[i].Started = t0.Add(-time.Minute)
	}
	return &installer.Invocation{ID: "inv", State: installer.Running, Attempts: attempts}
}

func TestNext(t *testing.T) {
	t.Parallel()
	fail := func(k installer.Kind) error { return installer.Fail(k, "seen") }
	tests := []struct {
		name    string
		inv     *installer.Invocation
		end     installer.End
		state   installer.State
		kind    installer.Kind
		counted bool // the attempt is over
	}{
		{"success", tried(1), installer.End{}, installer.Succeeded, "", true},
		{"success in spite of shutdown", tried(1), installer.End{Cause: installer.ErrShutdown}, installer.Succeeded, "", true},
		{"success in spite of cancel", tried(1), installer.End{Cause: installer.ErrCanceled}, installer.Succeeded, "", true},
		{"wrong password is never tried again", tried(1), installer.End{Err: fail(installer.KindAuthRejected)}, installer.Failed, installer.KindAuthRejected, true},
		{"refused: once more", tried(1), installer.End{Err: fail(installer.KindRefused)}, installer.Pending, installer.KindRefused, true},
		{"refused: enough", tried(2), installer.End{Err: fail(installer.KindRefused)}, installer.Failed, installer.KindRefused, true},
		{"throttled: many times", tried(7), installer.End{Err: fail(installer.KindThrottled)}, installer.Pending, installer.KindThrottled, true},
		{"fate unknown is never FAILED", tried(4), installer.End{Err: fail(installer.KindLostContact)}, installer.Timeout, installer.KindLostContact, true},
		{"script ran too long", tried(1), installer.End{Err: fail(installer.KindScriptTimeout)}, installer.Timeout, installer.KindScriptTimeout, true},
		{"wrapped failure", tried(1), installer.End{Err: fmt.Errorf("x: %w", fail(installer.KindNoSpace))}, installer.Failed, installer.KindNoSpace, true},
		{"unclassified error", tried(1), installer.End{Err: errors.New("boom")}, installer.Failed, installer.KindInternal, true},
		{"shutdown", tried(1), installer.End{Err: installer.ErrShutdown, Cause: installer.ErrShutdown}, installer.Pending, "", false},
		{"shutdown seen as a dial error", tried(2), installer.End{Err: fail(installer.KindUnreachable), Cause: installer.ErrShutdown}, installer.Pending, "", false},
		{"shutdown seen as an unclassified error", tried(1), installer.End{Err: context.Canceled, Cause: installer.ErrShutdown}, installer.Pending, "", false},
		{"a verdict that arrives with shutdown stays", tried(1), installer.End{Err: fail(installer.KindAuthRejected), Cause: installer.ErrShutdown}, installer.Failed, installer.KindAuthRejected, true},
		{"canceled", tried(1), installer.End{Err: fail(installer.KindCanceled), Cause: installer.ErrCanceled}, installer.Canceled, installer.KindCanceled, true},
		{"canceled while connecting", tried(1), installer.End{Err: fail(installer.KindUnreachable), Cause: installer.ErrCanceled}, installer.Canceled, installer.KindCanceled, true},
		{"canceled but not confirmed", tried(1), installer.End{Err: fail(installer.KindLostContact), Cause: installer.ErrCanceled}, installer.Timeout, installer.KindLostContact, true},
		{"crash", tried(1), installer.End{Crashed: true}, installer.Pending, "", false},
		{"third crash", &installer.Invocation{ID: "inv", Crashes: 2, Attempts: make([]installer.Attempt, 1)}, installer.End{Crashed: true}, installer.Failed, installer.KindInternal, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := installer.Next(tt.inv, tt.end, t0)
			assert.Equal(t, tt.state, got.State)
			assert.Equal(t, tt.kind, got.Kind)
			assert.Equal(t, tt.counted, got.EndAttempt)
			assert.Equal(t, t0, got.At)
			switch {
			case got.State == installer.Pending && tt.counted:
				assert.True(t, got.NotBefore.After(t0))
			case got.State == installer.Pending:
				assert.Equal(t, tt.inv.Attempt().Started, got.NotBefore, "before whatever has come for this host since")
			}
			assert.Equal(t, got, installer.Next(tt.inv, tt.end, t0), "pure")
		})
	}
}

func TestNextPausesGrowAndDiffer(t *testing.T) {
	t.Parallel()
	pause := func(id string, n int) time.Duration {
		inv := tried(n)
		inv.ID = id
		return installer.Next(inv, installer.End{Err: installer.Fail(installer.KindThrottled, "x")}, t0).NotBefore.Sub(t0)
	}
	base := installer.KindThrottled.Info().Pause
	for n := 1; n < 6; n++ {
		want := float64(base << (n - 1))
		assert.InDelta(t, want, float64(pause("a", n)), want*0.25+1)
	}
	assert.NotEqual(t, pause("a", 3), pause("b", 3), "a fleet must not come back in step")
}

// Every kind that the code can produce has one row, a step and a hint.
func TestKindsTable(t *testing.T) {
	t.Parallel()
	seen := map[installer.Kind]bool{}
	for _, row := range installer.Kinds() {
		require.False(t, seen[row.Kind], row.Kind)
		seen[row.Kind] = true
		assert.NotEmpty(t, row.Hint, row.Kind)
		assert.NotEmpty(t, row.Step, row.Kind)
		assert.GreaterOrEqual(t, row.Tries, 1, row.Kind)
		assert.Equal(t, row.Tries > 1, row.Pause > 0, row.Kind)
		assert.True(t, row.End().Terminal(), row.Kind)
	}
	assert.Equal(t, 1, installer.KindAuthRejected.Info().Tries, "accounts lock")
	assert.Equal(t, installer.KindInternal, installer.Kind("never heard of").Info().Kind)
	assert.Empty(t, installer.Kind("").Hint())
}
