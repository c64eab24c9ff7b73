package recipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

// errRunLimit is why the run's context ends when the script takes too long.
var errRunLimit = errors.New("the script ran longer than its limit")

// maxUnanswered is how many requests in a row may end without an answer.
const maxUnanswered = 5

// run starts the script, or finds it again, and follows it to its end.
func (w *work) run(ctx context.Context, rec *installer.StepRecord) error {
	limit := w.inv.Spec.RunTimeout
	if limit <= 0 {
		limit = w.Limits.Run
	}
	// A run that was taken up again has used up a part of it: so says the
	// host's monotonic clock, which nobody sets.
	left := max(limit-time.Duration(w.found.run.age)*time.Second, time.Second)
	inner, cancel := context.WithTimeoutCause(ctx, left, errRunLimit)
	defer cancel()
	end, err := w.follow(inner)
	if inner.Err() != nil && !installer.Interrupted(ctx) && (err != nil || end.state == "") {
		end, err = w.stop(ctx, context.Cause(inner), limit)
	}
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

// judge turns the end of the script into a result.
func (w *work) judge(end runState, rec *installer.StepRecord) error {
	if end.state == "died" {
		return died(end)
	}
	if end.killed != "" {
		return killedBy(end.killed)
	}
	code := end.code
	w.outcome.ExitCode, rec.Found.ExitCode = &code, &code
	if code == 0 {
		return nil
	}
	what := "the script exited with code " + strconv.Itoa(code)
	if code > 128 && code < 128+65 {
		what = fmt.Sprintf("the script was killed by signal %d", code-128)
	}
	kind := installer.KindScriptFailed
	if w.kind.onTarget() {
		kind = exitKind(code, installer.StepRun)
		what = strings.Replace(what, "the script", w.program(), 1)
	}
	if w.kind == restore && kind == installer.KindPackageMissing {
		kind = installer.KindNotKept
	}
	return installer.Fail(kind, "%s%s", what, w.quoted(w.tail.String()))
}

// program is which of the target's scripts runs.
func (w *work) program() string {
	if w.kind == remove {
		return "uninstall.sh"
	}
	return "install.sh"
}

// forgetAgent: what probe found of the agent may no longer be so, after a run
// that went wrong and has changed the host. What the script saw at its own end
// counts, where that is the version before, put back, or no agent at all.
func (w *work) forgetAgent(err error, rec *installer.StepRecord) {
	if unchanged(installer.FailureOf(err).Kind) || !w.kind.onTarget() {
		return
	}
	health := ""
	if w.outcome.ExitCode != nil { // it came to its end
		health = lastSeen(w.tail.String(), w.outcome.CurrentVersion)
	}
	w.agentIs(health, rec)
}

// agentLine is what the target's scripts say of the agent.
var agentLine = regexp.MustCompile(`(?m)^tripod: agent=(\S+)(?: version=(\S*))?.*$`)

// lastSeen is how the agent was when a script last said it; empty if it did not,
// or spoke of another version than this.
func lastSeen(output, version string) string {
	all := agentLine.FindAllStringSubmatch(output, -1)
	if len(all) == 0 {
		return ""
	}
	switch last := all[len(all)-1]; {
	case last[1] == "none", version != "" && last[2] == version:
		return last[1]
	}
	return ""
}

// follow stays with the script until it has ended, over as many connections as
// it takes.
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
				return runState{}, installer.Fail(installer.KindNoSpace, "the script could not be started in %s%s", w.found.root, w.quoted(r.Stderr))
			}
		}
		if r.Written > 0 {
			unanswered = 0
		}
		if unanswered++; unanswered > maxUnanswered {
			return runState{}, installer.Fail(installer.KindLostContact, "the host does not answer what it is asked%s", w.quoted(r.Stderr))
		}
		if err := w.reconnect(ctx, err); err != nil {
			return runState{}, err
		}
	}
}

// request asks the host once about the run, and follows its output.
func (w *work) request(ctx context.Context, act action) (reply, error) {
	args := []string{
		"root=" + w.found.root, "id=" + w.runID(), "key=" + w.key, "target=" + w.target(),
		"offset=" + strconv.FormatInt(w.offset, 10),
	}
	files := hostshell.AttachFiles
	if act == attach {
		if w.offset == 0 && (w.before.staged || w.found.run.by != w.key) {
			w.rewindLog()
		}
	} else {
		files = w.files(hostshell.RunFiles)
		args = append(args, w.launchArgs(act)...)
		w.mayRun = true
	}
	r, err := w.host.do(ctx, io.MultiWriter(&w.tail, w.output()), files, "run", args...)
	w.advance(r)
	return r, err
}

// advance counts the output. The host may have skipped what it does not keep.
func (w *work) advance(r reply) { w.offset = max(w.offset, r.began) + r.Written }

func (w *work) launchArgs(act action) []string {
	args := []string{"launch=yes"}
	if act == anew {
		args = append(args, "wipe=yes")
	}
	if len(w.sent) > 0 {
		args = append(args, "blobs="+strings.Join(w.sent, ","), "from="+w.from(), "tag="+w.tag())
	}
	switch w.kind {
	case script:
		return append(args, "script="+w.inv.Spec.Script.SHA256)
	case agent:
		return append(args, "package="+w.pkg.SHA256)
	case restore:
		return append(args, "kept="+w.kept)
	case remove:
		return append(args, "remove=yes")
	}
	return args // online: the settings say it
}

// notStarted explains why the host did not start the script.
func (w *work) notStarted(r reply) error {
	f := installer.Fail(installer.KindNoSpace, "%s cannot be written to (%s)%s", w.found.root, w.shown(r.failed, 40), w.quoted(r.Stderr))
	switch r.failed {
	case "sum":
		f = installer.Fail(installer.KindUploadFailed, "the file arrived damaged: its SHA-256 is another one")
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

// note puts a line of ours into the log.
func (w *work) note(text string) { _, _ = fmt.Fprintf(w.output(), "[tripod: %s]\n", text) }
