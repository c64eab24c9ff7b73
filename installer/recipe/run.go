package recipe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/lazyregexp"
	"tripod/installer/recipe/hostshell"
)

var errRunLimit = errors.New("the script ran longer than its limit")

const maxUnanswered = 5 // requests in a row

func (w *work) run(ctx context.Context, rec *installer.StepRecord) error {
	limit := cmp.Or(w.inv.Spec.RunTimeout, w.Limits.Run)
	// A run that was taken up again has used up a part of it: so says the
	// host's monotonic clock, which nobody sets.
	left := max(limit-time.Duration(w.found.run.age)*time.Second, time.Second)
	inner, cancel := context.WithTimeoutCause(ctx, left, errRunLimit)
	defer cancel()
	end, err := w.follow(inner)
	if inner.Err() != nil && !interrupted(ctx) && (err != nil || end.state == "") {
		end, err = w.stop(ctx, context.Cause(inner), limit)
	}
	return w.conclude(end, err, rec)
}

func (w *work) conclude(end runState, err error, rec *installer.StepRecord) error {
	rec.Found.Root, rec.Found.Output = w.found.root, w.offset
	if err == nil {
		err = w.judge(end, rec)
	}
	if err != nil {
		w.forgetAgent(err, rec)
		return err
	}
	rec.Note = fmt.Sprintf("exit code 0, %s of output", size(w.offset))
	return nil
}

func (w *work) follow(ctx context.Context) (runState, error) {
	unanswered := 0
	for {
		act, err := w.decide()
		if err != nil {
			return runState{}, err
		}
		r, err := w.request(ctx, act)
		switch {
		case ctx.Err() != nil:
			return runState{}, ended(ctx)
		case err == nil && r.busy != nil:
			return runState{}, w.busy(*r.busy)
		case err == nil && r.failed == "absent" && len(w.sent) > 0 && !w.resent:
			if err := w.sendAgain(ctx); err != nil {
				return runState{}, err
			}
			continue
		case err == nil && r.failed != "":
			return runState{}, w.notStarted(r)
		case err == nil && r.end != nil:
			w.found.run = r.run
			switch r.run.state {
			case "exited":
				return r.run, nil
			case "died":
				return r.run, w.endOrphan(ctx)
			case "staged":
				return runState{}, installer.Fail(installer.KindNoSpace, "the script could not be started in %s%s", w.found.root, w.quoted(w.host.LastWords()))
			}
		}
		if r.Written > 0 {
			unanswered = 0
		}
		if unanswered++; unanswered > maxUnanswered {
			said := w.quoted(r.Stderr)
			if f, ok := errors.AsType[*installer.Failure](err); ok && f.Kind == installer.KindProtocolError {
				said = ": " + f.Detail
			}
			return runState{}, installer.Fail(installer.KindLostContact, "the host does not answer what it is asked%s", said)
		}
		if err := w.reconnect(ctx, err); err != nil {
			return runState{}, err
		}
	}
}

func (w *work) request(ctx context.Context, act action) (r reply, err error) {
	args := []string{"offset=" + strconv.FormatInt(w.offset, 10)}
	files, small := hostshell.AttachFiles, []*hostshell.File(nil)
	again := act == attach && w.offset == 0 && (w.before.staged || w.found.run.by != w.key)
	if act != attach {
		files = w.hostFiles(hostshell.RunFiles)
		args = append(args, w.launchArgs(act)...)
		small = w.small
		w.mayRun = true
	}
	r.begins = func() { // the host may have skipped what it does not keep
		if again {
			w.rewindLog(r.began)
		} else if r.began > w.offset {
			_, _ = fmt.Fprintf(w.output(), "\n[tripod: %d bytes left out here]\n", r.began-w.offset)
		}
		w.offset = max(w.offset, r.began)
	}
	err = w.asks(ctx, &r, hostshell.Request{
		Files: files, Verb: "run", Args: w.runArgs(args...), Small: small,
		Output: io.MultiWriter(&w.tail, w.output()),
	})
	w.offset += r.Written
	return r, err
}

func (w *work) launchArgs(act action) []string {
	args := []string{"launch=yes", "now=" + time.Now().UTC().Format("2006-01-02 15:04:05 UTC")}
	if act == restart {
		args = append(args, "wipe=yes")
	}
	if len(w.sent) > 0 {
		args = append(args, "blobs="+strings.Join(w.sent, ","), "from="+w.from())
	}
	switch w.kind {
	case script:
		return append(args, w.scriptArgs()...)
	case agent:
		return append(args, "package="+w.pkg.SHA256)
	case restore:
		return append(args, "kept="+w.kept)
	case remove:
		return append(args, "doing=uninstall")
	case configure:
		return append(args, "doing=configure")
	}
	return args // online: the settings say it
}

var heldSince = lazyregexp.New(`^\S+( since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)$`)

// busy is the failure of a run that has found another one on the host. Its owner
// is named in the log only: it may be another project's.
func (w *work) busy(holder string) error {
	w.Logger.Info("another run holds the lock", "invocation", w.inv.ID, "host", w.inv.Host.Label(), "holder", w.shown(holder, 100))
	since := ""
	if parts := heldSince().FindStringSubmatch(holder); parts != nil {
		since = parts[1]
	}
	return installer.Fail(installer.KindHostBusy, "another run works on %s here%s", w.target(), since)
}

func (w *work) notStarted(r reply) error {
	f := installer.Fail(installer.KindNoSpace, "%s cannot be written to (%s)%s", w.found.root, w.shown(r.failed, 40), w.quoted(w.host.LastWords()))
	switch r.failed {
	case "sum":
		f = installer.Fail(installer.KindUploadFailed, "the file arrived damaged: its SHA-256 is another one")
	case "absent":
		f = installer.Fail(installer.KindUploadFailed, "the files arrived, and are not where they were sent")
	case "tool":
		f = installer.Fail(installer.KindUnsupportedHost, "the host has no program that tells a SHA-256")
	}
	f.Step = installer.StepStage
	return f
}

func (w *work) output() io.Writer {
	if w.job.Output == nil {
		return io.Discard
	}
	return w.job.Output
}
