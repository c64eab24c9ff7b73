package recipe

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

const killGrace = 5 // seconds between TERM and KILL

// stop kills the run on the host, and makes sure that nothing of it is left. It returns
// how the run ended; an error means that this is not known.
func (w *work) stop(ctx context.Context, cause error, limit time.Duration) (runState, error) {
	why := "timeout"
	if errors.Is(cause, installer.ErrCanceled) {
		why = "canceled"
	}
	// ctx may be what is over.
	inner, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Limits.Reconnect+w.Limits.Clean+killGrace*time.Second)
	defer cancel()
	r, err := w.askToKill(inner, why)
	if err != nil {
		if err = w.reconnect(inner, err); err == nil {
			r, err = w.askToKill(inner, why)
		}
	}
	if err != nil {
		return runState{}, installer.Fail(installer.KindLostContact, "the script was to be killed (%s), and the host cannot be reached: %s",
			why, installer.FailureOf(err).Detail)
	}
	if r.failed != "" {
		return runState{}, installer.Fail(installer.KindLostContact, "the script was to be killed (%s), and something of it is still alive", why)
	}
	rest, cancelRest := context.WithTimeout(inner, w.Limits.Clean)
	defer cancelRest()
	_, _ = w.request(rest, attach) // the output up to the end, as far as it comes
	switch {
	case r.run.state == "exited" && r.run.killed == "" && why == "timeout":
		return r.run, nil // it ended by itself just before
	case why == "canceled":
		return runState{}, killedBy(why)
	case errors.Is(cause, installer.ErrAttemptTimeout):
		return runState{}, installer.Fail(installer.KindScriptTimeout, "%s; the script was killed", cause)
	}
	return runState{}, installer.Fail(installer.KindScriptTimeout, "the script ran longer than %s and was killed%s",
		limit, w.quoted(w.tail.String()))
}

// endOrphan ends what is left of a run whose runner has died: the script would go
// on unobserved. An error means that it is not known to have ended.
func (w *work) endOrphan(ctx context.Context) error {
	var r reply
	err := limited(ctx, w.Limits.Clean+killGrace*time.Second, "ending what is left of the script", func(ctx context.Context) (err error) {
		r, err = w.askToKill(ctx, "timeout")
		return err
	})
	switch {
	case ctx.Err() != nil:
		return ended(ctx)
	case err != nil:
		return installer.Fail(installer.KindLostContact, "the runner of the script was killed, and the host does not say whether anything of it is left: %s",
			installer.FailureOf(err).Detail)
	case r.failed != "":
		return installer.Fail(installer.KindLostContact, "the runner of the script was killed, and something of it is still alive")
	}
	return nil
}

// askToKill asks again where the shell that was asked was killed too.
func (w *work) askToKill(ctx context.Context, why string) (r reply, err error) {
	for range maxUnanswered {
		r, err = w.askRun(ctx, nil, hostshell.KillFiles, "kill", "why="+why, "grace="+strconv.Itoa(killGrace))
		if err != nil || r.answered() {
			return r, err
		}
	}
	return r, fmt.Errorf("no answer%s", w.quoted(r.Stderr))
}

// stopUnseen stops a run of an invocation that was canceled while nobody worked on it.
func (w *work) stopUnseen(ctx context.Context) error {
	if w.before.proved || w.before.failed != nil {
		return w.before.verdict()
	}
	if w.before.ran {
		return ended(ctx)
	}
	stopping := func(w *work, ctx context.Context, rec *installer.StepRecord) error {
		inner, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Limits.Reconnect)
		defer cancel()
		if err := w.redial(inner); err != nil {
			return w.lost(err, 0)
		}
		end, err := w.stop(ctx, context.Cause(ctx), w.Limits.Run)
		return w.conclude(end, err, rec)
	}
	if err := w.step(ctx, installer.StepRun, stopping); err != nil {
		return w.failed(ctx, installer.StepRun, err)
	}
	return ended(ctx)
}
