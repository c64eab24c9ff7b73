package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"tripod/installer"
	"tripod/installer/engine"
)

var t0 = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// tried returns an invocation in its n-th attempt.
func tried(n int) *installer.Invocation {
	return &installer.Invocation{ID: "inv", State: installer.Running, Created: t0.Add(-time.Hour), Attempts: make([]installer.Attempt, n)}
}

// lost is tried, where an attempt before lost contact in its run.
func lost(n int) *installer.Invocation {
	inv := tried(n)
	inv.MayRun = true
	return inv
}

func TestNext(t *testing.T) {
	t.Parallel()
	fail := func(k installer.Kind) error { return installer.Fail(k, "seen") }
	tests := []struct {
		name    string
		inv     *installer.Invocation
		end     engine.End
		state   installer.State
		kind    installer.Kind
		counted bool // the attempt is over
	}{
		{"success", tried(1), engine.End{}, installer.Succeeded, "", true},
		{"success in spite of shutdown", tried(1), engine.End{Cause: installer.ErrShutdown}, installer.Succeeded, "", true},
		{"success in spite of cancel", tried(1), engine.End{Cause: installer.ErrCanceled}, installer.Succeeded, "", true},
		{"wrong password is never tried again", tried(1), engine.End{Err: fail(installer.KindAuthRejected)}, installer.Failed, installer.KindAuthRejected, true},
		{"refused: once more", tried(1), engine.End{Err: fail(installer.KindRefused)}, installer.Pending, installer.KindRefused, true},
		{"refused: enough", tried(2), engine.End{Err: fail(installer.KindRefused)}, installer.Failed, installer.KindRefused, true},
		{"throttled: many times", tried(7), engine.End{Err: fail(installer.KindThrottled)}, installer.Pending, installer.KindThrottled, true},
		{"fate unknown is never FAILED", tried(4), engine.End{Err: fail(installer.KindLostContact)}, installer.Timeout, installer.KindLostContact, true},
		{"script ran too long", tried(1), engine.End{Err: fail(installer.KindScriptTimeout)}, installer.Timeout, installer.KindScriptTimeout, true},
		{"wrapped failure", tried(1), engine.End{Err: fmt.Errorf("x: %w", fail(installer.KindNoSpace))}, installer.Failed, installer.KindNoSpace, true},
		{"unclassified error", tried(1), engine.End{Err: errors.New("boom")}, installer.Failed, installer.KindInternal, true},
		{"shutdown", tried(1), engine.End{Err: installer.ErrShutdown, Cause: installer.ErrShutdown}, installer.Pending, "", false},
		{"shutdown seen as a dial error", tried(2), engine.End{Err: fail(installer.KindUnreachable), Cause: installer.ErrShutdown}, installer.Pending, "", false},
		{"shutdown seen as an unclassified error", tried(1), engine.End{Err: context.Canceled, Cause: installer.ErrShutdown}, installer.Pending, "", false},
		{"a verdict that arrives with shutdown stays", tried(1), engine.End{Err: fail(installer.KindAuthRejected), Cause: installer.ErrShutdown}, installer.Failed, installer.KindAuthRejected, true},
		{"canceled", tried(1), engine.End{Err: fail(installer.KindCanceled), Cause: installer.ErrCanceled}, installer.Canceled, installer.KindCanceled, true},
		{"canceled while connecting", tried(1), engine.End{Err: fail(installer.KindUnreachable), Cause: installer.ErrCanceled}, installer.Canceled, installer.KindCanceled, true},
		{"canceled but not confirmed", tried(1), engine.End{Err: fail(installer.KindLostContact), Cause: installer.ErrCanceled}, installer.Timeout, installer.KindLostContact, true},
		{"crash", tried(1), engine.End{Crashed: true}, installer.Pending, "", false},
		{"third crash", &installer.Invocation{ID: "inv", Crashes: 2, Attempts: make([]installer.Attempt, 1)}, engine.End{Crashed: true}, installer.Failed, installer.KindInternal, true},
		{"refused while a script may run: as often as lost contact", lost(3), engine.End{Err: fail(installer.KindRefused)}, installer.Pending, installer.KindRefused, true},
		{"refused while a script may run: enough", lost(4), engine.End{Err: fail(installer.KindRefused)}, installer.Timeout, installer.KindLostContact, true},
		{"wrong password while a script may run", lost(2), engine.End{Err: fail(installer.KindAuthRejected)}, installer.Timeout, installer.KindLostContact, true},
		{"canceled, and a script may run", lost(2), engine.End{Err: fail(installer.KindUnreachable), Cause: installer.ErrCanceled}, installer.Timeout, installer.KindLostContact, true},
		{"tenth crash in all", &installer.Invocation{ID: "inv", AllCrashes: 9, Attempts: make([]installer.Attempt, 1)}, engine.End{Crashed: true}, installer.Failed, installer.KindInternal, true},
		{"ninth crash in all", &installer.Invocation{ID: "inv", Created: t0.Add(-time.Hour), Crashes: 1, AllCrashes: 8, Attempts: make([]installer.Attempt, 1)}, engine.End{Crashed: true}, installer.Pending, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := engine.Next(tt.inv, tt.end, t0)
			assert.Equal(t, tt.state, got.State)
			assert.Equal(t, tt.kind, got.Kind)
			assert.Equal(t, tt.counted, got.EndAttempt)
			assert.Equal(t, t0, got.At)
			switch {
			case got.State == installer.Pending && tt.counted:
				assert.True(t, got.NotBefore.After(t0))
			case got.State == installer.Pending:
				assert.Equal(t, tt.inv.Created, got.NotBefore, "before whatever has come for this host since")
			}
			assert.Equal(t, got, engine.Next(tt.inv, tt.end, t0), "pure")
		})
	}
}

// Whatever ends an attempt whose script may still run, it is never FAILED or
// CANCELED: every kind, however the attempt came to its end, after every step.
func TestNextNotKnownIsNotFailed(t *testing.T) {
	t.Parallel()
	step := func(s installer.Step, kind installer.Kind) installer.StepRecord {
		return installer.StepRecord{Step: s, Kind: kind}
	}
	connect, stage := step(installer.StepConnect, ""), step(installer.StepStage, "")
	look := func(run installer.RunState) installer.StepRecord {
		return installer.StepRecord{Step: installer.StepProbe, Found: installer.Findings{Run: run, Looked: true, CurrentVersion: "1.0"}}
	}
	run := func(kind installer.Kind) installer.StepRecord {
		return installer.StepRecord{Step: installer.StepRun, Kind: kind, Found: installer.Findings{Changed: true}}
	}
	type steps []installer.StepRecord
	for name, c := range map[string]struct {
		before bool // what an earlier attempt, or what is retried, left
		steps  steps
		may    bool
	}{
		"nothing":                {false, nil, false},
		"connected":              {false, steps{connect}, false},
		"looked":                 {false, steps{connect, look("absent")}, false},
		"something runs there":   {false, steps{connect, look("alive")}, true},
		"not staged":             {false, steps{connect, look("absent"), step(installer.StepStage, installer.KindUploadFailed)}, false},
		"staged":                 {false, steps{connect, look("absent"), stage}, true},
		"staged and looked":      {false, steps{connect, look("absent"), stage, connect, look("exited")}, false},
		"lost in the run":        {false, steps{connect, look("absent"), stage, run(installer.KindLostContact)}, true},
		"another one runs there": {false, steps{connect, look("absent"), stage, run(installer.KindHostBusy)}, false},
		"ran badly":              {false, steps{connect, look("absent"), stage, run(installer.KindScriptFailed)}, false},
		"ran well":               {false, steps{connect, look("absent"), stage, run("")}, false},
		"verified":               {false, steps{connect, look("absent"), stage, run(""), step(installer.StepVerify, "")}, false},
		"lost before":            {true, nil, true},
		"lost before, connected": {true, steps{connect}, true},
		"lost before, looked":    {true, steps{connect, look("exited")}, false},
		"lost before, alive":     {true, steps{connect, look("alive")}, true},
	} {
		for split := range len(c.steps) + 1 { // stored before the last restart, or finished since
			inv := &installer.Invocation{ID: "inv", State: installer.Running, MayRun: c.before, Attempts: make([]installer.Attempt, 9)}
			for i := range 8 {
				inv.Attempts[i].Ended = t0
			}
			inv.Attempts[8].Steps = c.steps[:split]
			check := func(how string, end engine.End) {
				t.Helper()
				end.Steps = c.steps[split:]
				got := engine.Next(inv, end, t0)
				what := fmt.Sprintf("%s/%d, %s: %s %s", name, split, how, got.State, got.Kind)
				if got.State == installer.Pending {
					assert.True(t, !got.EndAttempt || got.MayRun == c.may, what)
					return
				}
				assert.Equal(t, c.may, got.MayRun, what)
				if !c.may {
					return
				}
				assert.Equal(t, installer.Timeout, got.State, what)
				assert.Equal(t, installer.KindLostContact, got.Kind, what)
				assert.True(t, got.Outcome.Changed, what)
			}
			for _, k := range installer.Kinds() {
				err := installer.Fail(k.Kind, "seen")
				for _, cause := range []error{nil, installer.ErrCanceled, installer.ErrAttemptTimeout, installer.ErrShutdown} {
					check(fmt.Sprint(k.Kind, ", ", cause), engine.End{Err: err, Cause: cause})
				}
			}
			check("panic", engine.End{Err: errors.New("boom")})
			for _, crashes := range []int{0, 1, 2} {
				inv.Crashes = crashes
				check("crash", engine.End{Crashed: true})
			}
			inv.Crashes, inv.AllCrashes = 0, engine.MaxAllCrashes-1
			check("many crashes", engine.End{Crashed: true})
		}
	}
}

// What an attempt did not look for stays known, and a change is never forgotten.
func TestNextKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	inv := tried(2)
	inv.Attempts[0].Ended = t0
	inv.Outcome = installer.Outcome{CurrentVersion: "1.0", TargetVersion: "2.0", Changed: true}
	next := func(end engine.End) installer.Outcome { return engine.Next(inv, end, t0).Outcome }
	failed := installer.Fail(installer.KindRefused, "x")
	looked := []installer.StepRecord{{Step: installer.StepProbe, Found: installer.Findings{Looked: true}}}

	assert.Zero(t, next(engine.End{Err: failed}), "nothing new: the store keeps what it has")
	assert.Equal(t, installer.Outcome{CurrentVersion: "1.0", Agent: installer.AgentFault, Changed: true},
		next(engine.End{Err: failed, Outcome: installer.Outcome{Agent: installer.AgentFault}}))
	assert.Equal(t, installer.Outcome{Agent: installer.AgentNone, Changed: true},
		next(engine.End{Err: failed, Outcome: installer.Outcome{Agent: installer.AgentNone}, Steps: looked}), "there is none: that was looked for")
	assert.Equal(t, installer.Outcome{CurrentVersion: "1.0", TargetVersion: "2.0", Skipped: true, Changed: true},
		next(engine.End{Outcome: installer.Outcome{CurrentVersion: "1.0", TargetVersion: "2.0", Skipped: true}}))

	inv.Outcome, inv.Crashes = installer.Outcome{}, engine.MaxCrashes-1
	inv.Attempts[1].Steps = []installer.StepRecord{
		{Step: installer.StepProbe, Found: installer.Findings{Looked: true, CurrentVersion: "1.0", Run: "absent"}}, {Step: installer.StepStage},
	}
	assert.Equal(t, installer.Outcome{CurrentVersion: "1.0", Changed: true}, next(engine.End{Crashed: true}), "the journal of one that is set aside tells")
}

func TestNextPausesGrowAndDiffer(t *testing.T) {
	t.Parallel()
	pause := func(id string, n int) time.Duration {
		inv := tried(n)
		inv.ID = id
		return engine.Next(inv, engine.End{Err: installer.Fail(installer.KindThrottled, "x")}, t0).NotBefore.Sub(t0)
	}
	base := installer.KindThrottled.Info().Pause
	for n := 1; n < 6; n++ {
		want := float64(base << (n - 1))
		assert.InDelta(t, want, float64(pause("a", n)), want*0.25+1)
	}
	assert.NotEqual(t, pause("a", 3), pause("b", 3), "a fleet must not come back in step")
}
