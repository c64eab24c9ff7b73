package recipe

import (
	"cmp"
	"context"
	"io"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

// verify looks at what is on the host now. The exit code of install.sh is
// never taken for success; a user's script has nothing but its exit code.
func (w *work) verify(ctx context.Context, rec *installer.StepRecord) error {
	if w.kind == script {
		rec.Note, rec.Found.Message = "exit code 0", "the script ran and exited with code 0"
		return nil
	}
	rec.Found.Agent = agentState("") // until the host has said it
	var r reply
	err := limited(ctx, w.Limits.Verify, "verifying", func(ctx context.Context) (err error) {
		r, err = w.askVerify(ctx)
		return err
	})
	if err != nil {
		return err
	}
	rec.Found.Agent, rec.Found.AtBoot = agentState(r.agent["agent"]), r.bootState()
	health, version := w.shown(r.agent["agent"], 40), w.shown(r.agent["version"], 64)
	rec.Found.TargetVersion, rec.Found.Reporting, rec.Found.Configured = version, w.reporting(r.reporting), w.kind == configure
	want := "healthy"
	if w.kind == remove {
		want = "none"
	}
	code := int(r.end.Number("code", 255))
	wasStopped := code == 0 && want == "healthy" && health == "stopped" // and so is again
	if code != 0 || health != want && !wasStopped {
		return installer.Fail(exitKind(code, installer.StepVerify), "the agent is %s, version %q (verify.sh: code %d)%s",
			cmp.Or(health, "not found"), version, code, w.quoted(w.tail.String()))
	}
	switch {
	case w.kind == remove:
		rec.Note = "nothing of the agent is left" + w.placeNote(&r.findings)
	case wasStopped:
		rec.Note = "agent stopped, as it was before, version " + version + w.bootNote(&r.findings)
	default:
		rec.Note = withReporting("agent healthy, version "+version+w.bootNote(&r.findings), rec.Found.Reporting)
	}
	rec.Found.Message = w.done() + ": " + rec.Note
	w.proved = true
	return nil
}

func (w *work) done() string {
	switch {
	case w.kind == remove:
		return "uninstalled"
	case w.kind == configure:
		return "configured"
	case w.kind == restore:
		return "rolled back"
	case w.inv.Task() == installer.Update:
		return "updated"
	}
	return "installed"
}

// askVerify asks again where the connection broke: looking does no harm.
func (w *work) askVerify(ctx context.Context) (reply, error) {
	for tries := 1; ; tries++ {
		w.tail = installer.Tail{}
		r, err := w.askRun(ctx, io.MultiWriter(&w.tail, w.output()), hostshell.VerifyFiles, "verify")
		if err == nil && r.end != nil {
			return r, nil
		}
		if ctx.Err() != nil || tries > maxUnanswered {
			return reply{}, installer.Fail(installer.KindLostContact, "the host stopped answering while the agent was looked at")
		}
		if err := w.reconnect(ctx, err); err != nil {
			return reply{}, err
		}
	}
}
