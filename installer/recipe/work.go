package recipe

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tripod/installer"
	"tripod/installer/lazyregexp"
	"tripod/installer/recipe/hostshell"
)

type work struct {
	*Recipe
	job     *installer.Job
	inv     *installer.Invocation
	attempt installer.Attempt // the journal so far
	kind    kind
	key     string // names this attempt on the host
	before  progress

	conn    Conn // nil before connect
	host    *hostshell.Shell
	way     hostshell.Way // to root, as far as it is known
	found   findings      // of the last probe
	pkg     *installer.BlobRef
	kept    string            // folder on the host of the version to restore
	sent    []string          // SHA-256 of what stage brought
	small   []*hostshell.File // what goes with the request to run
	tag     string            // of temporary names on the host
	resent  bool              // after SFTP brought files elsewhere
	inbox   string            // where a login that is not root has put files
	offset  int64             // bytes of the script's output that have come
	tail    installer.Tail    // the last of them
	mayRun  bool              // a launch may have reached the host in this attempt
	proved  bool              // verify went well
	outcome installer.Outcome
}

var plainID = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

func (r *Recipe) newWork(job *installer.Job) (*work, error) {
	inv := job.Invocation
	k, err := kindOf(inv)
	if err != nil {
		return nil, err
	}
	w := &work{Recipe: r, job: job, inv: inv, kind: k, tag: rand.Text()[:16]}
	if a := inv.Attempt(); a != nil {
		w.attempt = *a
	} else {
		w.attempt.Number = len(inv.Attempts) + 1
	}
	if !plainID.MatchString(inv.ID) || !plainID.MatchString(w.runID()) || !plainID.MatchString(w.target()) {
		return nil, installer.Fail(installer.KindInternal, "an id of this invocation has characters that no id has")
	}
	w.key = inv.ID + "." + strconv.Itoa(w.attempt.Number)
	w.before = readProgress(w.attempt)
	w.outcome = w.before.outcome
	w.mayRun = w.before.staged
	return w, nil
}

func (w *work) runID() string { return cmp.Or(w.inv.RunID, w.inv.ID) }

func (w *work) target() string { return cmp.Or(w.inv.Spec.Target, installer.TargetTelescope) }

func (w *work) close() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.host.Close()
	}
}

func (w *work) do(ctx context.Context) error {
	switch {
	case w.before.over:
		return w.before.verdict()
	case ctx.Err() != nil && !w.mayRun && !w.inv.MayRun:
		return ended(ctx)
	case ctx.Err() != nil && !interrupted(ctx):
		return w.stopUnseen(ctx)
	}
	for _, s := range runbook {
		if w.before.skips(s.name) {
			continue
		}
		if err := w.step(ctx, s.name, s.do); err != nil {
			return w.failed(ctx, s.name, err)
		}
		if s.name == w.kind.last() || w.outcome.Skipped {
			break
		}
	}
	return w.before.verdict()
}

func (w *work) step(ctx context.Context, name installer.Step, do func(*work, context.Context, *installer.StepRecord) error) error {
	w.job.Begin(name)
	rec := installer.StepRecord{Step: name, Started: time.Now()}
	err := do(w, ctx, &rec)
	rec.Duration = time.Since(rec.Started)
	if errors.Is(err, installer.ErrShutdown) {
		return err // not over: it goes on at the next start
	}
	if err != nil {
		f := w.failure(name, err)
		rec.Kind, rec.JumpHost, rec.Note, err = f.Kind, f.JumpHost, f.Detail, f
	}
	if name == installer.StepRun && w.changed(err) {
		rec.Found.Changed = true
	}
	addTo(&w.outcome, rec)
	// After a crash every finished step is reported at once: it is progress, and what
	// makes none is set aside.
	if !decides(name, err) && w.inv.Crashes == 0 {
		w.job.Note(rec)
		return err
	}
	if lost := w.journal(ctx, rec); lost != nil {
		return lost
	}
	return err
}

// decides tells the records that must be on disk before the next step changes the host: stage,
// because the launch comes after it, and how the run ended, because clean removes that. What the
// others found the host can be asked again.
func decides(name installer.Step, err error) bool {
	return name == installer.StepStage || name == installer.StepVerify || name == installer.StepRun && err != nil
}

const journalRetry = 2 * time.Second // before a full disk is tried again

// journal stores rec, also when ctx is done. It insists until the store takes it: what is on the
// host may neither be forgotten nor be done twice because of a full disk here.
func (w *work) journal(ctx context.Context, rec installer.StepRecord) error {
	for {
		err := w.job.Journal(context.WithoutCancel(ctx), rec)
		if err == nil || errors.Is(err, installer.ErrStale) {
			return err
		}
		w.Logger.Error("step not stored, trying again", "invocation", w.inv.ID, "step", rec.Step, "error", err)
		select {
		case <-ctx.Done():
			return errors.Join(ended(ctx), fmt.Errorf("journal %s: %w", rec.Step, err))
		case <-time.After(journalRetry):
		}
	}
}

func (w *work) failure(name installer.Step, err error) *installer.Failure {
	f := *installer.FailureOf(err)
	if f.Step == "" {
		f.Step = name
	}
	f.Detail = w.shown(f.Detail, 500)
	return &f
}

func (w *work) failed(ctx context.Context, name installer.Step, err error) error {
	f, ok := errors.AsType[*installer.Failure](err)
	switch {
	case errors.Is(err, installer.ErrStale):
	case w.before.proved || w.before.failed != nil: // only clean was left; its trouble changes nothing
		return w.before.verdict()
	case errors.Is(err, installer.ErrShutdown), !ok:
	case f.Kind == installer.KindLostContact || w.host == nil:
	case name == installer.StepConnect || name == installer.StepClean:
	case name == installer.StepProbe && !w.madeFolder():
	default:
		// The result is in the journal, so the folder may go.
		if lost := w.step(context.WithoutCancel(ctx), installer.StepClean, (*work).clean); lost != nil {
			w.Logger.Warn("run folder not removed", "invocation", w.inv.ID, "error", lost)
		}
	}
	return err
}

// interrupted: by shutdown rather than by a limit or the user.
func interrupted(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), installer.ErrShutdown)
}

func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, installer.ErrShutdown):
		return fmt.Errorf("interrupted: %w", installer.ErrShutdown)
	case errors.Is(cause, installer.ErrAttemptTimeout):
		return &installer.Failure{Kind: installer.KindStepTimeout, Detail: cause.Error(), Err: cause}
	case errors.Is(cause, installer.ErrCanceled):
		return &installer.Failure{Kind: installer.KindCanceled, Detail: cause.Error(), Err: cause}
	}
	return fmt.Errorf("interrupted: %w: %w", installer.ErrShutdown, cause)
}
