package installer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sourcegraph/conc/panics"
)

// finishRetry is how long the engine waits before it tries again to store a
// result that the store did not take (disk full, say).
const finishRetry = 2 * time.Second

// attempt works on one claimed invocation to the end of its attempt, and
// stores what Next decides.
func (d *Dispatcher) attempt(ctx context.Context, inv *Invocation) {
	// The attempt's context is not a child of ctx: shutdown is passed on with
	// a cause of its own, and the limit is the attempt's.
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(ErrShutdown) })()
	limit := time.AfterFunc(d.attemptLimit(inv), func() { cancel(ErrAttemptTimeout) })
	defer limit.Stop()

	d.begin(inv.ID, cancel)
	defer d.unregister(inv.ID)
	if inv.CancelAsked {
		cancel(ErrCanceled)
	}

	d.Watch(EventOf(inv, d.Clock()))
	var noted, finished []StepRecord
	outcome, err := d.work(work, inv, &noted, &finished)
	end := End{Outcome: outcome, Err: err, Steps: finished}
	if work.Err() != nil {
		end.Cause = context.Cause(work)
	}
	t := Next(inv, end, d.Clock())
	t.Steps = noted
	if t.State.Terminal() && t.State != Succeeded {
		d.countFailure()
	}
	d.finish(ctx, inv, t)
}

func (d *Dispatcher) attemptLimit(inv *Invocation) time.Duration {
	limit := d.Limits.Attempt
	if longer := inv.Spec.RunTimeout - d.Limits.Run; longer > 0 {
		limit += longer
	}
	return limit
}

// work gives the Installer what it needs, and leaves in finished the steps that it
// has done and in noted those of them that are still to be stored. A panic in it
// ends this invocation, not the process.
func (d *Dispatcher) work(ctx context.Context, inv *Invocation, noted, finished *[]StepRecord) (outcome Outcome, err error) {
	// A cancel that came before the claim must reach the Installer, which has
	// to look at the host: it must not end here, as an error of the queue.
	reading := context.WithoutCancel(ctx)
	creds, err := d.Queue.Credentials(reading, inv)
	if err != nil {
		return Outcome{}, err
	}
	log, err := d.Queue.OpenLog(reading, inv)
	if err != nil {
		return Outcome{}, fmt.Errorf("open the log: %w", err)
	}
	output := &jobOutput{scrubber: NewScrubber(log, creds.Secrets()), log: log}
	defer func() {
		if lost := output.close(); lost != nil {
			d.Logger.Error("output not kept", "invocation", inv.ID, "host", inv.Host.Label(), "error", lost)
		}
	}()

	job := &Job{
		Invocation:  inv,
		Credentials: creds,
		Output:      output,
		Begin: func(s Step) {
			begins := EventOf(inv, d.Clock())
			begins.Step = s
			d.Watch(begins)
		},
		Note: func(rec StepRecord) {
			*noted, *finished = append(*noted, rec), append(*finished, rec)
		},
		Journal: func(ctx context.Context, rec StepRecord) error {
			*finished = append(*finished, rec) // stored or not, it is known
			err := d.Queue.Journal(ctx, inv.Ref(), append(slices.Clone(*noted), rec)...)
			if err == nil {
				*noted = nil
			}
			return err
		},
	}
	panicked := panics.Try(func() { outcome, err = d.Installer.Work(ctx, job) })
	if panicked != nil {
		d.Logger.Error("panic while working on a host", "invocation", inv.ID, "host", inv.Host.Label(),
			"panic", fmt.Sprintf("%T", panicked.Value), "stack", string(panicked.Stack))
		return Outcome{}, Fail(KindInternal, "a step panicked; the log of tripod has the stack")
	}
	return outcome, err
}

// finish stores the transition. A result must not be lost because the disk is
// full or the process is asked to stop, so it insists until the store takes
// it, and gives up only at shutdown: then the invocation stays RUNNING on
// disk and is taken up as an orphan, which looks at the host first.
func (d *Dispatcher) finish(ctx context.Context, inv *Invocation, t Transition) {
	log := d.Logger.With("invocation", inv.ID, "host", inv.Host.Label())
	for {
		err := d.Queue.Finish(context.WithoutCancel(ctx), inv.Ref(), t)
		switch {
		case err == nil:
			log.Info("attempt ended", "state", t.State, "kind", t.Kind, "message", t.Message)
			ends := EventOf(inv, t.At)
			ends.End = &AttemptEnd{t.State, t.EndAttempt, t.NotBefore, t.Kind, t.Message, t.Outcome.Skipped}
			d.Watch(ends)
			return
		case errors.Is(err, ErrStale):
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

func (d *Dispatcher) unregister(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.running, id)
}

func (d *Dispatcher) countFailure() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures++
}
