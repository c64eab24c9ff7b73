package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sourcegraph/conc/panics"

	"tripod/installer"
)

// finishRetry is how long the engine waits before it tries again to store a result that
// the store did not take (disk full, say).
const finishRetry = 2 * time.Second

// attempt is a claimed invocation, worked on to the end of its attempt.
type attempt struct {
	*Dispatcher
	inv      *installer.Invocation
	ctx      context.Context
	cancel   context.CancelCauseFunc
	steps    []installer.StepRecord // that were finished
	unstored []installer.StepRecord // those of them that are only noted
}

// run works, and returns what becomes of the invocation.
func (a *attempt) run(ctx context.Context) installer.Transition {
	defer context.AfterFunc(ctx, func() { a.cancel(installer.ErrShutdown) })()
	limit := a.Limits.Attempt + max(0, a.inv.Spec.RunTimeout-a.Limits.Run)
	defer time.AfterFunc(limit, func() { a.cancel(installer.ErrAttemptTimeout) }).Stop()

	a.Watch(installer.EventOf(a.inv, a.Clock()))
	outcome, err := a.work()
	end := End{Outcome: outcome, Err: err, Steps: a.steps}
	if a.ctx.Err() != nil {
		end.Cause = context.Cause(a.ctx)
	}
	t := Next(a.inv, end, a.Clock())
	t.Steps = a.unstored
	if t.State.Terminal() && t.State != installer.Succeeded {
		a.mu.Lock()
		a.failures++
		a.mu.Unlock()
	}
	return t
}

func (a *attempt) end() {
	a.cancel(nil)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running[a.inv.ID] == a { // else its next attempt has begun
		delete(a.running, a.inv.ID)
	}
}

// work gives the Worker what it needs. A panic in it ends this invocation, not the
// process.
func (a *attempt) work() (outcome installer.Outcome, err error) {
	inv := a.inv
	// A cancel that came before the claim must reach the Worker, which has to look at
	// the host: it must not end here, as an error of the queue.
	reading := context.WithoutCancel(a.ctx)
	creds, err := a.Queue.Credentials(reading, inv)
	if err != nil {
		return outcome, err
	}
	log, err := a.Queue.OpenLog(reading, inv)
	if err != nil {
		return outcome, fmt.Errorf("open the log: %w", err)
	}
	output := &jobOutput{scrubber: installer.NewScrubber(log, creds.Secrets()), log: log}
	defer func() {
		if lost := output.close(); lost != nil {
			a.Logger.Error("output not kept", "invocation", inv.ID, "host", inv.Host.Label(), "error", lost)
		}
	}()
	job := &installer.Job{Invocation: inv, Credentials: creds, Guard: a.passwordGuard(), Output: output, Begin: a.begin, Note: a.note, Journal: a.journal}
	panicked := panics.Try(func() { outcome, err = a.Worker.Work(a.ctx, job) })
	if panicked != nil {
		a.Logger.Error("panic while working on a host", "invocation", inv.ID, "host", inv.Host.Label(),
			"panic", fmt.Sprintf("%T", panicked.Value), "stack", string(panicked.Stack))
		return installer.Outcome{}, installer.Fail(installer.KindInternal, "a step panicked; the log of tripod has the stack")
	}
	return outcome, err
}

// passwordGuard is that of the host's login, which a host is known to accept where a script runs already.
func (a *attempt) passwordGuard() installer.PasswordGuard {
	if a.inv.Spec.KeepTrying {
		return nil
	}
	return a.guard.of(a.inv, mayStillRun(a.inv, stepsSoFar(a.inv, nil)))
}

func (a *attempt) begin(s installer.Step) {
	e := installer.EventOf(a.inv, a.Clock())
	e.Step = s
	a.Watch(e)
}

func (a *attempt) note(rec installer.StepRecord) {
	a.steps, a.unstored = append(a.steps, rec), append(a.unstored, rec)
}

func (a *attempt) journal(ctx context.Context, rec installer.StepRecord) error {
	a.steps = append(a.steps, rec) // stored or not, it is known
	err := a.Queue.Journal(ctx, a.inv.Ref(), append(slices.Clone(a.unstored), rec)...)
	if err == nil {
		a.unstored = nil
	}
	return err
}

// finish stores the transition. A result must not be lost because the disk is full or
// the process is asked to stop, so it insists until the store takes it, and gives up
// only at shutdown: then the invocation stays RUNNING on disk and is taken up as an
// orphan, which looks at the host first.
func (a *attempt) finish(ctx context.Context, t installer.Transition) {
	log := a.logger()
	for {
		err := a.Queue.Finish(context.WithoutCancel(ctx), a.inv.Ref(), t)
		switch {
		case err == nil:
			a.finished(t)
			return
		case errors.Is(err, installer.ErrStale):
			log.Warn("result dropped", "error", err)
			return
		case ctx.Err() != nil:
			log.Error("result not stored before shutdown; the host is looked at again at the next start", "error", err)
			return
		}
		log.Error("result not stored, trying again", "error", err, "in", finishRetry)
		select {
		case <-ctx.Done():
		case <-time.After(finishRetry):
		}
	}
}

// finished tells that the transition is stored.
func (a *attempt) finished(t installer.Transition) {
	a.logger().Info("attempt ended", "state", t.State, "kind", t.Kind, "message", t.Message)
	e := installer.EventOf(a.inv, t.At)
	e.End = &installer.AttemptEnd{
		State: t.State, EndAttempt: t.EndAttempt, NotBefore: t.NotBefore, Kind: t.Kind, Message: t.Message, Skipped: t.Outcome.Skipped,
	}
	a.Watch(e)
}

func (a *attempt) logger() *slog.Logger {
	return a.Logger.With("invocation", a.inv.ID, "host", a.inv.Host.Label())
}
