package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
	"tripod/installer/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memoryQueue is the Queue's contract in its smallest form, so that the
// engine's timing can be proved in a synctest bubble. The store's own tests
// hold the real one to the same contract.
type memoryQueue struct {
	mu      sync.Mutex
	all     []*installer.Invocation
	logs    map[string]*bytes.Buffer
	creds   installer.Credentials
	claims  int
	finish  func() error // a fault to inject; nil: none
	journal error        // likewise
}

func newQueue(hosts ...string) *memoryQueue {
	q := &memoryQueue{logs: map[string]*bytes.Buffer{}}
	for i, h := range hosts {
		q.all = append(q.all, &installer.Invocation{
			ID: fmt.Sprintf("inv-%d", i), BatchID: "b", State: installer.Pending,
			Host: installer.Host{Endpoint: installer.Endpoint{Address: h, Port: 22}},
		})
	}
	return q
}

func (q *memoryQueue) Claim(_ context.Context, now time.Time, _ installer.ClaimFilter) (*installer.Invocation, time.Time, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.claims++
	busy := map[string]bool{}
	for _, inv := range q.all {
		if inv.State == installer.Running {
			busy[inv.Host.HostPort()] = true
		}
	}
	var next time.Time
	for _, inv := range q.all {
		if inv.State != installer.Pending || busy[inv.Host.HostPort()] {
			continue
		}
		if inv.NotBefore.After(now) {
			if next.IsZero() || inv.NotBefore.Before(next) {
				next = inv.NotBefore
			}
			continue
		}
		inv.State = installer.Running
		inv.Claim++
		if inv.Attempt() == nil {
			inv.Attempts = append(inv.Attempts, installer.Attempt{Number: len(inv.Attempts) + 1, Started: now})
		}
		claimed := *inv
		return &claimed, time.Time{}, nil
	}
	return nil, next, nil
}

func (q *memoryQueue) Credentials(ctx context.Context, _ *installer.Invocation) (installer.Credentials, error) {
	return q.creds, ctx.Err()
}

func (q *memoryQueue) find(ref installer.Ref) (*installer.Invocation, error) {
	for _, inv := range q.all {
		if inv.ID == ref.ID && inv.Claim == ref.Claim && inv.State == installer.Running {
			return inv, nil
		}
	}
	return nil, installer.ErrStale
}

func (q *memoryQueue) Journal(_ context.Context, ref installer.Ref, steps ...installer.StepRecord) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	inv, err := q.find(ref)
	if err == nil {
		err = q.journal
	}
	if err == nil {
		a := inv.Attempt()
		a.Steps = append(a.Steps, steps...)
	}
	return err
}

func (q *memoryQueue) Finish(_ context.Context, ref installer.Ref, t installer.Transition) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.finish != nil {
		if err := q.finish(); err != nil {
			return err
		}
	}
	inv, err := q.find(ref)
	if err != nil {
		return err
	}
	a := inv.Attempt()
	a.Steps = append(a.Steps, t.Steps...)
	inv.State, inv.NotBefore, inv.Kind, inv.Message, inv.Outcome = t.State, t.NotBefore, t.Kind, t.Message, t.Outcome
	if t.EndAttempt {
		a.Ended = t.At
	}
	if t.Crashed {
		inv.Crashes++
		inv.AllCrashes++
	}
	return nil
}

func (q *memoryQueue) FinishAndClaim(
	ctx context.Context, ref installer.Ref, t installer.Transition, now time.Time, f installer.ClaimFilter,
) (*installer.Invocation, time.Time, error) {
	if err := q.Finish(ctx, ref, t); err != nil {
		return nil, time.Time{}, err
	}
	return q.Claim(ctx, now, f)
}

func (q *memoryQueue) Orphans(context.Context) ([]installer.Invocation, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var orphans []installer.Invocation
	for _, inv := range q.all {
		if inv.State == installer.Running {
			orphans = append(orphans, *inv)
		}
	}
	return orphans, nil
}

// memoryLog never goes back.
type memoryLog struct{ *bytes.Buffer }

func (memoryLog) Close() error { return nil }

func (l memoryLog) Position() (int64, error) { return int64(l.Len()), nil }

func (memoryLog) Rewind(int64) error { return errors.ErrUnsupported }

func (q *memoryQueue) OpenLog(_ context.Context, inv *installer.Invocation) (installer.Log, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.logs[inv.ID] == nil {
		q.logs[inv.ID] = &bytes.Buffer{}
	}
	return memoryLog{q.logs[inv.ID]}, nil
}

// steps are those of the first invocation.
func (q *memoryQueue) steps() (steps []installer.Step) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, rec := range q.all[0].Attempts[0].Steps {
		steps = append(steps, rec.Step)
	}
	return steps
}

func (q *memoryQueue) states() map[installer.State]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := map[installer.State]int{}
	for _, inv := range q.all {
		n[inv.State]++
	}
	return n
}

type worker func(context.Context, *installer.Job) (installer.Outcome, error)

func (w worker) Work(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
	return w(ctx, job)
}

func run(t *testing.T, c engine.Config) *engine.Dispatcher {
	t.Helper()
	c.StopWhenIdle = true
	d := engine.New(c)
	require.NoError(t, d.Run(t.Context()))
	return d
}

// A dead host costs one worker its limit and nobody else anything.
func TestDeadHostStallsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := []string{"dead"}
		for i := range 20 {
			hosts = append(hosts, fmt.Sprint("live-", i))
		}
		q := newQueue(hosts...)
		start := time.Now()
		var lastLive time.Duration
		var mu sync.Mutex
		run(t, engine.Config{Queue: q, Parallel: 2, Worker: worker(func(_ context.Context, job *installer.Job) (installer.Outcome, error) {
			if job.Invocation.Host.Address == "dead" {
				time.Sleep(10 * time.Second)
				return installer.Outcome{}, installer.Fail(installer.KindAuthTimeout, "silence")
			}
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			lastLive = time.Since(start)
			mu.Unlock()
			return installer.Outcome{}, nil
		})})
		assert.Equal(t, 2*time.Second, lastLive, "20 live hosts of 0.1 s on the one other worker")
		assert.Equal(t, map[installer.State]int{installer.Succeeded: 20, installer.Failed: 1}, q.states())
	})
}

// Steps that were noted go with the next that is journaled, or with the result,
// in their order; also when the journal does not take them at once.
func TestNotedStepsAreStored(t *testing.T) {
	full := errors.New("disk full")
	for name, end := range map[string]func() (installer.Outcome, error){
		"succeeded": func() (installer.Outcome, error) { return installer.Outcome{}, nil },
		"shutdown":  func() (installer.Outcome, error) { return installer.Outcome{}, installer.ErrShutdown },
		"panic":     func() (installer.Outcome, error) { panic("a step") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueue("a")
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				d := engine.New(engine.Config{Queue: q, StopWhenIdle: true, Worker: worker(func(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
					defer stop()
					job.Note(installer.StepRecord{Step: "connect"})
					job.Note(installer.StepRecord{Step: "probe"})
					assert.Empty(t, q.steps())
					q.journal = full
					require.ErrorIs(t, job.Journal(ctx, installer.StepRecord{Step: "stage"}), full)
					q.journal = nil
					require.NoError(t, job.Journal(ctx, installer.StepRecord{Step: "stage"}))
					assert.Equal(t, []installer.Step{"connect", "probe", "stage"}, q.steps())
					job.Note(installer.StepRecord{Step: "clean"})
					return end()
				})})
				require.NoError(t, d.Run(ctx))
				assert.Equal(t, []installer.Step{"connect", "probe", "stage", "clean"}, q.steps())
			})
		})
	}
}

// Nothing polls: idle workers wake once per thing to do.
func TestIdleWorkersSleepUntilDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a")
		q.all[0].NotBefore = time.Now().Add(time.Hour)
		start := time.Now()
		run(t, engine.Config{Queue: q, Parallel: 32, Worker: worker(func(context.Context, *installer.Job) (installer.Outcome, error) {
			return installer.Outcome{}, nil
		})})
		assert.Equal(t, time.Hour, time.Since(start))
		assert.LessOrEqual(t, q.claims, 32+3, "each worker asks once at the end, and the one that sleeps twice more")
	})
}

func TestRetryComesFromTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a")
		tries := 0
		run(t, engine.Config{Queue: q, Worker: worker(func(context.Context, *installer.Job) (installer.Outcome, error) {
			if tries++; tries == 1 {
				return installer.Outcome{}, installer.Fail(installer.KindUnreachable, "no route")
			}
			return installer.Outcome{TargetVersion: "2"}, nil
		})})
		assert.Equal(t, installer.Succeeded, q.all[0].State)
		assert.Len(t, q.all[0].Attempts, 2)
		assert.Equal(t, "2", q.all[0].TargetVersion)
	})
}

func TestOneInvocationPerHostAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a", "a", "a", "b")
		var mu sync.Mutex
		on := map[string]int{}
		run(t, engine.Config{Queue: q, Parallel: 4, Worker: worker(func(_ context.Context, job *installer.Job) (installer.Outcome, error) {
			host := job.Invocation.Host.Address
			mu.Lock()
			on[host]++
			assert.Equal(t, 1, on[host])
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			on[host]--
			mu.Unlock()
			return installer.Outcome{}, nil
		})})
		assert.Equal(t, 4, q.states()[installer.Succeeded])
	})
}

// Shutdown is not failure: the attempt is not counted, and goes on later.
func TestShutdownInterrupts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a", "b", "c")
		ctx, cancel := context.WithCancel(t.Context())
		d := engine.New(engine.Config{Queue: q, Parallel: 2, Worker: worker(func(ctx context.Context, _ *installer.Job) (installer.Outcome, error) {
			<-ctx.Done()
			assert.ErrorIs(t, context.Cause(ctx), installer.ErrShutdown)
			return installer.Outcome{}, fmt.Errorf("stopped: %w", installer.ErrShutdown)
		})})
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		synctest.Wait()
		cancel()
		require.NoError(t, <-done)
		assert.Equal(t, map[installer.State]int{installer.Pending: 3}, q.states())
		for _, inv := range q.all {
			for _, a := range inv.Attempts {
				assert.Zero(t, a.Ended, "it goes on later")
			}
		}
	})
}

// A22: a panic ends that invocation, not the process.
func TestA22PanicEndsOneInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a", "b")
		run(t, engine.Config{Queue: q, Parallel: 1, Worker: worker(func(_ context.Context, job *installer.Job) (installer.Outcome, error) {
			if job.Invocation.Host.Address == "a" {
				panic("boom")
			}
			return installer.Outcome{}, nil
		})})
		assert.Equal(t, installer.Failed, q.all[0].State)
		assert.Equal(t, installer.KindInternal, q.all[0].Kind)
		assert.Equal(t, installer.Succeeded, q.all[1].State)
	})
}

// TestPanicWhileAScriptMayRun: P4. What was found before it is kept.
func TestPanicWhileAScriptMayRun(t *testing.T) {
	t.Parallel()
	q := newQueue("a")
	run(t, engine.Config{Queue: q, Worker: worker(func(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
		job.Note(installer.StepRecord{Step: installer.StepProbe, Found: installer.Findings{Looked: true, CurrentVersion: "1.0"}})
		if err := job.Journal(ctx, installer.StepRecord{Step: installer.StepStage}); err != nil {
			return installer.Outcome{}, err
		}
		panic("boom")
	})})
	assert.Equal(t, map[installer.State]int{installer.Timeout: 1}, q.states())
	inv := q.all[0]
	assert.Equal(t, installer.KindLostContact, inv.Kind)
	assert.Equal(t, installer.Outcome{CurrentVersion: "1.0", Changed: true}, inv.Outcome)
}

func TestCancelRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a")
		d := engine.New(engine.Config{Queue: q, StopWhenIdle: true, Worker: worker(func(ctx context.Context, _ *installer.Job) (installer.Outcome, error) {
			<-ctx.Done()
			return installer.Outcome{}, installer.Fail(installer.KindCanceled, "%w", context.Cause(ctx))
		})})
		done := make(chan error)
		go func() { done <- d.Run(t.Context()) }()
		synctest.Wait()
		assert.True(t, d.Cancel("inv-0"))
		assert.False(t, d.Cancel("inv-9"))
		require.NoError(t, <-done)
		assert.Equal(t, installer.Canceled, q.all[0].State)
	})
}

// Only the Worker can find out whether something still runs on the host.
func TestCancelBeforeTheClaimReachesTheWorker(t *testing.T) {
	t.Parallel()
	q := newQueue("a")
	q.all[0].CancelAsked = true
	called := false
	run(t, engine.Config{Queue: q, Worker: worker(func(ctx context.Context, _ *installer.Job) (installer.Outcome, error) {
		called = true
		assert.ErrorIs(t, context.Cause(ctx), installer.ErrCanceled)
		return installer.Outcome{}, installer.Fail(installer.KindCanceled, "%w", context.Cause(ctx))
	})})
	assert.True(t, called)
	assert.Equal(t, installer.Canceled, q.all[0].State)
}

func TestAttemptLimitHoldsWhateverTheWorkerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a")
		start := time.Now()
		run(t, engine.Config{Queue: q, Limits: installer.Limits{Run: time.Minute, Attempt: 3 * time.Minute},
			Worker: worker(func(ctx context.Context, _ *installer.Job) (installer.Outcome, error) {
				<-ctx.Done()
				assert.ErrorIs(t, context.Cause(ctx), installer.ErrAttemptTimeout)
				return installer.Outcome{}, installer.Fail(installer.KindScriptTimeout, "%w", context.Cause(ctx))
			})})
		assert.Equal(t, 3*time.Minute, time.Since(start))
		assert.Equal(t, installer.Timeout, q.all[0].State)
	})
}

// A3: a result that the store does not take at once is kept and stored later.
func TestA03ResultIsKeptUntilStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a")
		until := time.Now().Add(time.Minute)
		q.finish = func() error {
			if time.Now().Before(until) {
				return fmt.Errorf("%w: no space left on device", installer.ErrStorage)
			}
			return nil
		}
		ran := 0
		run(t, engine.Config{Queue: q, Worker: worker(func(context.Context, *installer.Job) (installer.Outcome, error) {
			ran++
			return installer.Outcome{}, nil
		})})
		assert.Equal(t, installer.Succeeded, q.all[0].State)
		assert.Equal(t, 1, ran)
	})
}

// P5: a crash consumes no attempt; what keeps crashing is set aside.
func TestOrphansAreTakenUpOrSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a", "b")
		for i, inv := range q.all {
			inv.State, inv.Claim = installer.Running, 1
			inv.Attempts = []installer.Attempt{{Number: 1, Started: time.Now()}}
			inv.Crashes = i * (engine.MaxCrashes - 1)
		}
		run(t, engine.Config{Queue: q, Worker: worker(func(_ context.Context, job *installer.Job) (installer.Outcome, error) {
			assert.Equal(t, 1, job.Invocation.Attempt().Number)
			return installer.Outcome{}, nil
		})})
		assert.Equal(t, installer.Succeeded, q.all[0].State)
		assert.Len(t, q.all[0].Attempts, 1)
		assert.Equal(t, installer.Failed, q.all[1].State)
	})
}

// An orphan that another Dispatcher of the process has just taken up is left to it.
func TestOrphanOfAnotherDispatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a", "b")
		q.all[0].State, q.all[0].Claim = installer.Running, 1
		q.all[0].Attempts = []installer.Attempt{{Number: 1, Started: time.Now()}}
		taken := false
		q.finish = func() error {
			if !taken {
				taken = true
				return installer.ErrStale
			}
			return nil
		}
		run(t, engine.Config{Queue: q, Worker: worker(func(context.Context, *installer.Job) (installer.Outcome, error) {
			return installer.Outcome{}, nil
		})})
		assert.Equal(t, map[installer.State]int{installer.Running: 1, installer.Succeeded: 1}, q.states())
	})
}

func TestFailureLimitStopsClaiming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a", "b", "c", "d", "e")
		d := run(t, engine.Config{Queue: q, Parallel: 1, MaxFailures: 2, Worker: worker(func(context.Context, *installer.Job) (installer.Outcome, error) {
			return installer.Outcome{}, installer.Fail(installer.KindScriptFailed, "exit code 1")
		})})
		assert.True(t, d.LimitReached())
		assert.Equal(t, map[installer.State]int{installer.Failed: 2, installer.Pending: 3}, q.states())
	})
}

func TestOutputIsScrubbedAndALostLogFailsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("a")
		q.creds.Password = installer.NewSecret("s3cret-pw")
		run(t, engine.Config{Queue: q, Worker: worker(func(_ context.Context, job *installer.Job) (installer.Outcome, error) {
			fmt.Fprint(job.Output, "login with s3cr")
			fmt.Fprint(job.Output, "et-pw ok s3c")
			return installer.Outcome{}, nil
		})})
		assert.Equal(t, "login with [redacted] ok s3c", q.logs["inv-0"].String())
	})
}

func TestUnreadableQueueEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("bad page")
		d := engine.New(engine.Config{Queue: brokenQueue{newQueue("a"), broken}, Worker: worker(nil)})
		require.ErrorIs(t, d.Run(t.Context()), broken)
	})
}

type brokenQueue struct {
	*memoryQueue
	err error
}

func (q brokenQueue) Claim(context.Context, time.Time, installer.ClaimFilter) (*installer.Invocation, time.Time, error) {
	return nil, time.Time{}, q.err
}
