package recipe

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	const mine, earlier, predecessor = "inv.2", "inv.1", "old.1"
	for name, c := range map[string]struct {
		run    runState
		mayRun bool
		lost   bool
		want   action
		kind   installer.Kind
	}{
		"absent, never launched":            {run: runState{state: "absent"}, want: begin},
		"absent, perhaps launched":          {run: runState{state: "absent"}, mayRun: true, kind: installer.KindLostContact},
		"staged":                            {run: runState{state: "staged"}, mayRun: true, want: begin},
		"alive, mine":                       {run: runState{state: "alive", by: mine}, want: attach},
		"alive, an earlier attempt's":       {run: runState{state: "alive", by: earlier}, want: attach},
		"alive, the predecessor's":          {run: runState{state: "alive", by: predecessor}, want: attach},
		"exited, mine":                      {run: runState{state: "exited", by: mine, code: 1}, want: attach},
		"exited, earlier, contact lost":     {run: runState{state: "exited", by: earlier, code: 1}, lost: true, want: attach},
		"exited, earlier, known":            {run: runState{state: "exited", by: earlier}, want: restart},
		"exited, an id that begins alike":   {run: runState{state: "exited", by: "inv2.1", code: 1}, lost: true, want: restart},
		"exited well, the predecessor's":    {run: runState{state: "exited", by: predecessor}, want: attach},
		"exited badly, the predecessor's":   {run: runState{state: "exited", by: predecessor, code: 1}, want: restart},
		"killed, the predecessor's":         {run: runState{state: "exited", by: predecessor, killed: "canceled"}, want: restart},
		"died, mine":                        {run: runState{state: "died", by: mine}, kind: installer.KindScriptFailed},
		"died of a reboot, mine":            {run: runState{state: "died", by: mine, rebooted: true}, kind: installer.KindScriptFailed},
		"killed by us, mine":                {run: runState{state: "died", by: mine, killed: "timeout"}, kind: installer.KindScriptTimeout},
		"killed on demand, mine":            {run: runState{state: "died", by: mine, killed: "canceled"}, kind: installer.KindCanceled},
		"died, an earlier attempt's":        {run: runState{state: "died", by: earlier}, lost: true, want: restart},
		"fenced, mine":                      {run: runState{state: "fenced", by: mine}, kind: installer.KindScriptTimeout},
		"fenced, an earlier attempt's":      {run: runState{state: "fenced", by: earlier}, want: restart},
		"the host did not say":              {kind: installer.KindLostContact},
		"the host says what does not exist": {run: runState{state: "happy"}, kind: installer.KindLostContact},
	} {
		got, err := decide(situation{run: c.run, key: mine, invocation: "inv", mayRun: c.mayRun, lostBefore: c.lost})
		if c.kind != "" {
			require.Error(t, err, name)
			assert.Equal(t, c.kind, installer.FailureOf(err).Kind, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, c.want, got, name)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	found := func(s installer.Step, f installer.Findings) installer.StepRecord {
		return installer.StepRecord{Step: s, Found: f}
	}
	well := func(s installer.Step) installer.StepRecord { return found(s, installer.Findings{}) }
	bad := func(s installer.Step, k installer.Kind) installer.StepRecord {
		return installer.StepRecord{Step: s, Kind: k, Note: "why"}
	}
	read := func(steps ...installer.StepRecord) progress { return readProgress(installer.Attempt{Steps: steps}) }

	assert.Equal(t, progress{}, read())
	assert.Equal(t, progress{}, read(installer.StepRecord{Step: "probe"}), "no findings are no trouble")

	p := read(well("connect"), found("probe", installer.Findings{Root: "/r", Looked: true, CurrentVersion: "1", Edition: installer.Advance}), well("stage"))
	assert.Equal(t, installer.Advance, p.outcome.Edition)
	assert.True(t, p.staged)
	assert.Equal(t, "/r", p.root)
	assert.Equal(t, "1", p.outcome.CurrentVersion)
	assert.False(t, p.skips("run"))

	p = read(well("stage"), found("run", installer.Findings{ExitCode: new(int)}))
	assert.True(t, p.skips("stage"))
	assert.True(t, p.skips("run"))
	assert.False(t, p.skips("verify"))
	assert.False(t, p.skips("connect"))
	assert.Zero(t, *p.outcome.ExitCode)

	p = read(well("stage"), well("run"), found("verify", installer.Findings{Message: "m"}))
	assert.True(t, p.skips("verify"))
	assert.False(t, p.over)
	assert.NoError(t, p.verdict())
	p = read(well("stage"), well("run"), found("verify", installer.Findings{Message: "m"}), well("clean"))
	assert.True(t, p.over)
	assert.Equal(t, "m", p.outcome.Message)

	p = read(well("stage"), bad("run", installer.KindScriptFailed))
	assert.True(t, p.skips("verify"))
	assert.False(t, p.over)
	assert.Equal(t, installer.KindScriptFailed, installer.FailureOf(p.verdict()).Kind)

	for _, unknown := range []installer.Kind{installer.KindLostContact, installer.KindHostBusy} {
		p = read(well("stage"), bad("run", unknown))
		assert.False(t, p.skips("run"), "%s: to be looked at again", unknown)
		assert.NoError(t, p.verdict())
	}
	assert.True(t, read(found("probe", installer.Findings{Skipped: true})).over)
}

func TestExitKinds(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]installer.Kind{
		2: installer.KindInternal, 10: installer.KindSudoDenied, 11: installer.KindUnsupportedHost, 12: installer.KindNoSpace,
		13: installer.KindPackageMissing, 14: installer.KindScriptFailed, 15: installer.KindScriptFailed,
		16: installer.KindVerifyFailed, 17: installer.KindVerifyFailed, 18: installer.KindUnsupportedHost,
	} {
		assert.Equal(t, want, exitKind(code, installer.StepRun))
	}
	assert.Equal(t, installer.KindScriptFailed, exitKind(99, installer.StepRun))
	assert.Equal(t, installer.KindVerifyFailed, exitKind(99, installer.StepVerify))
	assert.Equal(t, installer.KindUnsupportedHost, exitKind(99, installer.StepProbe))
}
