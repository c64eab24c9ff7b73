package store

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
	"tripod/store/storetest"
)

func TestMain(m *testing.M) {
	if role, ok := childRole(); ok {
		childMain(role)
		return
	}
	goleak.VerifyTestMain(m)
}

// t0 is the tests' epoch; their clocks are set, never read.
var t0 = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const project = "default"

var everything = installer.ClaimFilter{}

func openTest(tb testing.TB, dir string, o Options) *Store {
	tb.Helper()
	if o.Clock == nil {
		o.Clock = func() time.Time { return t0 }
	}
	s, err := Open(dir, o)
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, s.Close()) })
	return s
}

func newTest(tb testing.TB, o Options) *Store {
	tb.Helper()
	dir := tb.TempDir
	if _, ok := tb.(*testing.T); ok { // a benchmark wants the real disk
		dir = func() string { return storetest.Dir(tb) }
	}
	return openTest(tb, filepath.Join(dir(), "state"), o)
}

// item is one invocation on a host, with a password of its own.
func item(batch string, n int, host string) installer.Item {
	return installer.Item{
		Invocation: installer.Invocation{
			ID:   fmt.Sprintf("%s-%04d", batch, n),
			Type: installer.RemoteInstall,
			Host: installer.Host{
				ID: host, Name: "name-" + host, Type: installer.ECS,
				Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 22, User: "root"},
			},
			Spec: installer.Spec{Target: installer.TargetTelescope, HostKeys: installer.AcceptNew},
		},
		Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("pw-" + host)}},
	}
}

// batch is one invocation on each of the hosts.
func batch(id string, hosts ...string) installer.Batch {
	b := installer.Batch{BatchHead: installer.BatchHead{
		ID: id, ProjectID: project, Created: t0, Fingerprint: "print-" + id, Source: "test",
	}}
	for i, h := range hosts {
		b.Items = append(b.Items, item(id, i, h))
	}
	return b
}

func submit(tb testing.TB, s *Store, b installer.Batch) {
	tb.Helper()
	require.NoError(tb, s.Submit(context.Background(), b))
}

func claim(tb testing.TB, s *Store, at time.Time, batchID string) *installer.Invocation {
	tb.Helper()
	inv, _, err := s.Claim(context.Background(), at, installer.ClaimFilter{BatchID: batchID})
	require.NoError(tb, err)
	return inv
}

func finish(tb testing.TB, s *Store, inv *installer.Invocation, state installer.State) {
	tb.Helper()
	require.NoError(tb, s.Finish(context.Background(), inv.Ref(), installer.Transition{State: state, EndAttempt: true, At: t0}))
}

func TestOneInvocationFromSubmitToResult(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newTest(t, Options{KeepSucceeded: time.Hour})
	submit(t, s, batch("B1", "h1", "h2"))

	head, err := s.Batch(ctx, project, "B1")
	require.NoError(t, err)
	assert.Equal(t, 2, head.Total)
	assert.Equal(t, 2, head.Open)

	inv := claim(t, s, t0, "")
	require.NotNil(t, inv)
	assert.Equal(t, "B1-0000", inv.ID)
	assert.Equal(t, installer.Running, inv.State)
	require.NotNil(t, inv.Attempt())
	assert.Equal(t, 1, inv.Attempt().Number)

	creds, err := s.Credentials(ctx, inv)
	require.NoError(t, err)
	assert.Equal(t, "pw-h1", creds.Password.Reveal())

	rec := installer.StepRecord{Step: installer.StepConnect, Started: t0, Duration: time.Second, Found: installer.Findings{Root: "/r", Looked: true}}
	second, last := rec, rec
	second.Step, last.Step = installer.StepProbe, installer.StepClean
	require.NoError(t, s.Journal(ctx, inv.Ref(), rec, second))
	zero := 0
	outcome := installer.Outcome{TargetVersion: "2.0", ExitCode: &zero, Message: "found"}
	require.NoError(t, s.Finish(ctx, inv.Ref(), installer.Transition{
		State: installer.Succeeded, EndAttempt: true, Message: "done", Outcome: outcome, At: t0.Add(time.Minute),
		Steps: []installer.StepRecord{last},
	}))

	got, err := s.Invocation(ctx, project, inv.ID)
	require.NoError(t, err)
	assert.Equal(t, installer.Succeeded, got.State)
	assert.Equal(t, "done", got.Message)
	assert.Equal(t, outcome, got.Outcome)
	assert.Equal(t, t0.Add(time.Minute), got.Updated)
	require.Len(t, got.Attempts, 1)
	assert.Equal(t, t0.Add(time.Minute), got.Attempts[0].Ended)
	assert.Equal(t, []installer.StepRecord{rec, second, last}, got.Attempts[0].Steps)

	head, err = s.Batch(ctx, project, "B1")
	require.NoError(t, err)
	assert.Equal(t, 1, head.Open)
	assert.Equal(t, map[installer.State]int{installer.Pending: 1, installer.Succeeded: 1}, head.ByState)

	err = s.Journal(ctx, inv.Ref(), rec)
	require.ErrorIs(t, err, installer.ErrStale)
	require.ErrorIs(t, s.Finish(ctx, inv.Ref(), installer.Transition{State: installer.Failed}), installer.ErrStale)
}
