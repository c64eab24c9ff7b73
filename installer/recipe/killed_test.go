package recipe

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/engine"
	"tripod/installer/sshdial"
	"tripod/installer/sshtest"
)

// process is what one process does with the invocation of the batch id, as the
// engine does it. At each write to the store dies is asked, before it and after,
// whether the process is killed there; then the next one is to open the store.
func (tr *tripod) process(id string, dies func(write string, after bool) bool) (killed bool) {
	tr.t.Helper()
	defer func() {
		if r := recover(); r != nil {
			if r != any(errKilled) {
				panic(r)
			}
			killed = true
			require.NoError(tr.t, tr.store.Close())
			tr.store = openStore(tr.t, tr.dir)
		}
	}()
	write := func(name string, do func() error) error {
		if dies(name, false) {
			panic(errKilled)
		}
		err := do()
		if dies(name, true) {
			panic(errKilled)
		}
		return err
	}
	ctx := tr.t.Context()
	orphans, err := tr.store.Orphans(ctx)
	require.NoError(tr.t, err)
	for i := range orphans {
		o := &orphans[i]
		require.NoError(tr.t, tr.store.Finish(ctx, o.Ref(), engine.Next(o, engine.End{Crashed: true}, time.Now())))
	}
	inv, _, err := tr.store.Claim(ctx, time.Now(), installer.ClaimFilter{BatchID: id})
	require.NoError(tr.t, err)
	if inv == nil {
		return false
	}
	var noted, finished []installer.StepRecord
	dialer := sshdial.New(sshdial.Config{Limits: tr.limits})
	defer func() { assert.NoError(tr.t, dialer.Close()) }()
	r := New(Config{Dial: dialWith(dialer), Blobs: tr.blobs, Limits: tr.limits})
	r.AgentSettings = countedSettings + tr.extra
	outcome, failed := r.Work(ctx, &installer.Job{
		Invocation: inv, Credentials: tr.creds, Output: tr.out, Begin: func(installer.Step) {},
		Note: func(rec installer.StepRecord) { noted, finished = append(noted, rec), append(finished, rec) },
		Journal: func(_ context.Context, rec installer.StepRecord) error {
			finished = append(finished, rec)
			return write(string(rec.Step), func() error {
				steps := append(noted, rec)
				noted = nil
				return tr.store.Journal(ctx, inv.Ref(), steps...)
			})
		},
	})
	next := engine.Next(inv, engine.End{Outcome: outcome, Err: failed, Steps: finished}, time.Now())
	next.Steps = noted
	require.NoError(tr.t, write("finish", func() error { return tr.store.Finish(ctx, inv.Ref(), next) }))
	return false
}

// A ROLLBACK whose process is killed at one write to the store after the other,
// always before it or always after it, over a store that is opened anew each time:
// it ends well, and its script runs once.
func TestRollbackKilledAtEveryWrite(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"restore", "remove"} {
		for _, after := range []bool{false, true} {
			if (way == "remove") != after && (way == "remove" || !sshtest.Long()) {
				continue // no different from the other way, or only in the long run
			}
			t.Run(fmt.Sprintf("%s/after=%t", way, after), func(t *testing.T) {
				t.Parallel()
				tr := newTripod(t)
				last, ran := tr.succeeds("install", installer.Invocation{Type: installer.Install, Spec: tr.packages("1.0.0")}), "xx"
				if way == "restore" {
					last, ran = tr.succeeds("update", installer.Invocation{Type: installer.Update, Spec: tr.packages("2.0.0")}), "xxx"
				}
				require.NoError(t, tr.submit("back", installer.RollbackOf(last)))
				killed := map[string]bool{}
				for n := 0; tr.process("back", func(write string, now bool) bool {
					if now != after || killed[write] {
						return false
					}
					killed[write] = true
					return true
				}); n++ {
					require.Less(t, n, engine.MaxAllCrashes)
				}
				for _, write := range []string{"probe", "stage", "run", "verify", "finish"} {
					assert.True(t, killed[write], write)
				}
				back := tr.read("back")
				require.Equal(t, installer.Succeeded, back.State, "%s: %s", back.Kind, back.Message)
				assert.Len(t, back.Attempts, 1, "a crash consumes no attempt")
				assert.Equal(t, ran, tr.ran())
				assert.Equal(t, installer.Rollbacked, tr.read(last.ID).State)
				assert.Equal(t, last.TargetVersion, back.CurrentVersion, "not what the rollback itself left")
				assert.Equal(t, last.CurrentVersion, back.TargetVersion)
				if way == "remove" {
					assert.Zero(t, tr.agents())
				} else {
					assert.Equal(t, 2, tr.agents())
				}
				assert.Empty(t, tr.runFolders())
			})
		}
	}
}
