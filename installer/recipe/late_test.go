package recipe

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/engine"
	"tripod/installer/sshdial"
	"tripod/installer/sshtest"
	"tripod/store"
)

// tripod is the engine over a real store, working on the bed's host.
type tripod struct {
	*bed
	dir   string
	store *store.Store
	extra string // settings of the target's scripts
}

func newTripod(t *testing.T) *tripod {
	t.Helper()
	tr := &tripod{bed: newBed(t, sshtest.Config{}, "root"), dir: t.TempDir() + "/state"}
	tr.store = openStore(t, tr.dir)
	t.Cleanup(func() { assert.NoError(t, tr.store.Close()) })
	return tr
}

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir, store.Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
	require.NoError(t, err)
	return s
}

// submit stores one invocation, which has the id of its batch.
func (tr *tripod) submit(id string, inv installer.Invocation) error {
	inv.ID, inv.ProjectID, inv.Host = id, "p", tr.inv.Host
	inv.Spec.Target, inv.Spec.HostKeys = installer.TargetTelescope, installer.Insecure
	return tr.store.Submit(tr.t.Context(), installer.Batch{
		BatchHead: installer.BatchHead{ID: id, ProjectID: "p", Created: time.Now()},
		Items:     []installer.Item{{Invocation: inv, Credentials: tr.creds}},
	})
}

// run works on what was submitted as id, to its end.
func (tr *tripod) run(id string) *installer.Invocation {
	tr.t.Helper()
	dialer := sshdial.New(sshdial.Config{Limits: tr.limits})
	defer func() { assert.NoError(tr.t, dialer.Close()) }()
	r := New(Config{Dial: dialWith(dialer), Blobs: tr.blobs, Limits: tr.limits})
	r.AgentSettings = countedSettings + tr.extra
	d := engine.New(engine.Config{Queue: tr.store, Worker: r, Only: installer.ClaimFilter{BatchID: id}, StopWhenIdle: true, Parallel: 1})
	require.NoError(tr.t, d.Run(tr.t.Context()))
	return tr.read(id)
}

func (tr *tripod) read(id string) *installer.Invocation {
	tr.t.Helper()
	inv, err := tr.store.Invocation(context.Background(), "p", id)
	require.NoError(tr.t, err)
	return &inv
}

func (tr *tripod) do(id string, inv installer.Invocation) *installer.Invocation {
	tr.t.Helper()
	require.NoError(tr.t, tr.submit(id, inv))
	return tr.run(id)
}

func (tr *tripod) succeeds(id string, inv installer.Invocation) *installer.Invocation {
	tr.t.Helper()
	done := tr.do(id, inv)
	require.Equal(tr.t, installer.Succeeded, done.State, "%s: %s", done.Kind, done.Message)
	return done
}

// killedInstall is a setting by which install.sh dies before it has judged what it
// has brought.
const killedInstall = "case $0 in */install.sh) wait_healthy() { kill -9 $$; } ;; esac\n"

// An UPDATE dies before its agent is up. The RETRY finds that healthy and has
// nothing to do, but the task has changed the host: it can be rolled back.
func TestRetryOfALateAgentCanBeRolledBack(t *testing.T) {
	t.Parallel()
	tr := newTripod(t)
	tr.succeeds("install", installer.Invocation{Type: installer.Install, Spec: tr.packages("1.0.0")})
	tr.extra = killedInstall
	late := tr.do("update", installer.Invocation{Type: installer.Update, Spec: tr.packages("2.0.0")})
	require.Equal(t, installer.Failed, late.State)
	require.Equal(t, installer.KindScriptFailed, late.Kind)
	assert.True(t, late.Changed)
	assert.Equal(t, "1.0.0", late.CurrentVersion)
	require.Eventually(t, func() bool { return tr.agents() == 2 }, time.Minute, 20*time.Millisecond, "it comes up")

	tr.extra = ""
	retry := tr.succeeds("retry", installer.RetryOf(late))
	assert.True(t, retry.Skipped)
	assert.True(t, retry.Changed)
	assert.Equal(t, "1.0.0", retry.CurrentVersion, "what the UPDATE found, not what it left")
	assert.Equal(t, "2.0.0", retry.TargetVersion)
	assert.Equal(t, "xx", tr.ran())

	install := tr.read("install")
	_, _, err := tr.store.FollowUp(t.Context(), installer.Rollback, install)
	require.ErrorIs(t, err, installer.ErrSuperseded)
	assert.ErrorContains(t, err, "retry")
	require.NoError(t, installer.Allow(installer.Rollback, retry))
	back := tr.succeeds("back", installer.RollbackOf(retry))
	assert.Equal(t, "1.0.0", back.TargetVersion)
	assert.Equal(t, installer.Rollbacked, tr.read("retry").State)
	_, _, err = tr.store.FollowUp(t.Context(), installer.Rollback, install)
	require.NoError(t, err)

	// One that really had nothing to do changed nothing.
	none := tr.succeeds("none", installer.Invocation{Type: installer.Update, Spec: installer.Spec{Version: "1.0.0"}})
	assert.True(t, none.Skipped)
	assert.ErrorContains(t, installer.Allow(installer.Rollback, none), "it changed nothing")
}

// A ROLLBACK of the INSTALL waits while an UPDATE goes first: the host keeps what
// the UPDATE has brought.
func TestSupersededRollbackLeavesTheHostAlone(t *testing.T) {
	t.Parallel()
	tr := newTripod(t)
	install := tr.succeeds("install", installer.Invocation{Type: installer.Install, Spec: tr.packages("1.0.0")})
	require.NoError(t, tr.submit("back", installer.RollbackOf(install)))
	tr.succeeds("update", installer.Invocation{Type: installer.Update, Spec: tr.packages("2.0.0")})
	back := tr.run("back")
	assert.Equal(t, installer.Failed, back.State)
	assert.Equal(t, installer.KindSuperseded, back.Kind)
	assert.Contains(t, back.Message, "version 1.0.0 was replaced since: 2.0.0 is there now")
	assert.Equal(t, 2, tr.agents())
	assert.Equal(t, "xx", tr.ran())
	assert.Equal(t, installer.Succeeded, tr.read("install").State)
}
