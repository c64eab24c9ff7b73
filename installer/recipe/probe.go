package recipe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

func (w *work) probe(ctx context.Context, rec *installer.StepRecord) error {
	if err := w.inspect(ctx); err != nil {
		return err
	}
	w.recordAgent(rec)
	if err := w.usable(); err != nil {
		return err
	}
	if w.kind == jumpHost {
		if err := limited(ctx, w.Limits.Channel, "asking for a forwarding", w.conn.CanForward); err != nil {
			return err
		}
	}
	return w.report(rec)
}

// inspect probes the host, and ends what is left of a run whose runner has died:
// nothing will record its exit code, and it holds no lock any more.
func (w *work) inspect(ctx context.Context) error {
	err := w.probeHost(ctx)
	if err != nil || w.found.run.state != "died" || w.found.run.rebooted {
		return err
	}
	if err := w.endOrphan(ctx); err != nil {
		return err
	}
	return w.probeHost(ctx)
}

func (w *work) probeHost(ctx context.Context) error {
	ask := w.askAsRoot
	if asLogin := w.inv.Host.User == "root" || w.asUser(); asLogin && w.way.Become == hostshell.AsLogin {
		ask = w.askProbe
	}
	r, err := ask(ctx)
	if err != nil && ctx.Err() != nil {
		return ended(ctx)
	}
	if errors.Is(err, installer.ErrNoExitStatus) && r.uid == "" { // nor any answer
		return installer.Fail(installer.KindLoginClosed, "the host accepted the login and ended it, without an exit code%s", w.quoted(w.host.Noise()))
	}
	if err != nil {
		return err
	}
	if r.end != nil && r.end.Get("root") == "no" && w.host.Become == hostshell.AsLogin && !w.asUser() {
		w.host.Close() // the user is called root, and is not
		if r, err = w.askAsRoot(ctx); err != nil {
			return err
		}
	}
	w.found = r.findings
	if r.uid == "" {
		return w.noAnswer(r)
	}
	return nil
}

func (w *work) askProbe(ctx context.Context) (r reply, err error) {
	err = w.asks(ctx, &r, hostshell.Request{
		Files: w.hostFiles(hostshell.ProbeFiles), Verb: "probe", Args: w.probeArgs(), Limit: w.Limits.Probe,
	})
	return r, err
}

// asUser: the work is done with the login's own rights. A jump host only forwards,
// so a login on it need not become root.
func (w *work) asUser() bool {
	return w.inv.Host.Become == installer.BecomeNever || w.kind == jumpHost && w.inv.Host.User != "root"
}

func (w *work) probeArgs() []string {
	args := []string{
		"id=" + w.runID(), "key=" + w.key, fmt.Sprintf("need=%d", w.needKiB()),
	}
	add := func(name, value string) {
		if value != "" {
			args = append(args, name+"="+value)
		}
	}
	add("root", w.before.root)
	add("blobs", w.blobArgs())
	add("want", w.wanted())
	if w.configures() {
		add("configure", "yes")
	}
	if w.kind.onTarget() {
		add("kept", w.target())
	}
	if w.mayRun {
		add("known", "yes")
	}
	if w.kind == checkOnly || w.kind == jumpHost {
		add("check", "yes")
	}
	if w.asUser() {
		add("user", "yes")
	}
	return args
}

// noAnswer: the login was accepted, and the host ended it before our scripts said anything.
func (w *work) noAnswer(r reply) error {
	detail := fmt.Sprintf("the host accepted the login and ended it (exit code %d)", r.Code)
	if r.Echoed {
		return installer.Fail(installer.KindLoginClosed, "a start-up file of the login shell (such as ~/.bashrc) reads standard input, "+
			"and with it the commands that are sent to the host: let it do so in interactive shells only")
	}
	said := w.quoted(r.Noise + "\n" + r.Stderr)
	if r.Code == 0 && said == "" {
		said = "; perhaps a start-up file of the login shell (such as ~/.bashrc) reads standard input"
	}
	return installer.Fail(installer.KindLoginClosed, "%s%s", detail, said)
}

func (w *work) usable() error {
	f := &w.found
	switch {
	case f.kernel != "" && f.kernel != "Linux":
		return installer.Fail(installer.KindUnsupportedHost, "the host runs %s, not Linux", w.shown(f.kernel, 40))
	case f.end != nil && f.end.Get("missing") != "":
		return installer.Fail(installer.KindUnsupportedHost, "the host lacks the program %s", w.shown(f.end.Get("missing"), 40))
	case f.root == "" && len(f.tried) > 0:
		return w.noPlace()
	case f.end == nil || f.root == "":
		return installer.Fail(installer.KindStepTimeout, "the host stopped answering while it was looked at")
	}
	if f.looked != nil && w.kind != script && w.kind != remove {
		if code := int(*f.looked); code != 0 {
			return installer.Fail(exitKind(code, installer.StepProbe), "the host is not fit for the agent%s", w.quoted(f.lookedWhy))
		}
	}
	return nil
}

// noPlace: a disk without room is one thing, no folder that would do another.
func (w *work) noPlace() error {
	kind := installer.KindUnsupportedHost
	for _, why := range w.found.tried {
		if strings.Contains(why, "KiB free") || strings.Contains(why, "full") || strings.Contains(why, "No space") {
			kind = installer.KindNoSpace
		}
	}
	return installer.Fail(kind, "no folder to work in: %s", w.shown(strings.Join(w.found.tried, "; "), 480))
}

func (w *work) recordAgent(rec *installer.StepRecord) {
	rec.Found.Run = w.found.run.state
	if health := w.found.agent["agent"]; health != "" {
		rec.Found.Looked, rec.Found.CurrentVersion, rec.Found.Agent = true, w.versionBefore(), agentState(health)
		rec.Found.AtBoot = w.found.bootState()
	}
	rec.Found.Reporting = w.reporting(w.found.reporting)
}

// reporting is what a script has found about that.
func (w *work) reporting(f hostshell.Finding) installer.Reporting {
	able := installer.ReportingAble(f.Get("reporting"))
	switch able {
	case installer.ReportingYes:
		return installer.Reporting{Able: able}
	case installer.ReportingNo, installer.ReportingUnknown:
		return installer.Reporting{Able: able, Why: w.shown(f.Get("why"), 200)}
	}
	return installer.Reporting{}
}

// withReporting adds to a line about the agent that it cannot report, or why that is not known.
func withReporting(line string, r installer.Reporting) string {
	switch r.Able {
	case installer.ReportingNo:
		line += "; it cannot report: " + r.Why
	case installer.ReportingUnknown:
		line += "; whether it can report is not known: " + cmp.Or(r.Why, "no reason given")
	}
	return line
}

func (w *work) report(rec *installer.StepRecord) error {
	f := &w.found
	rec.Found.Root, rec.Found.Boot, rec.Found.Arch = f.root, f.boot, w.shown(f.arch, 20)
	health, version := f.agent["agent"], f.agent["version"]
	note := fmt.Sprintf("Linux %s, works in %s", w.shown(f.arch, 20), f.root)
	if f.freeKiB > 0 {
		note += fmt.Sprintf(" (%s free)", size(f.freeKiB<<10))
	}
	if health != "" {
		note += ", agent " + w.shown(strings.TrimSpace(health+" "+version), 80) + w.placeNote(f)
	}
	if why := f.agent["why"]; why != "" {
		note += " (" + w.shown(why, 200) + ")"
	}
	note += w.bootNote(f)
	if health == "healthy" {
		note = withReporting(note, rec.Found.Reporting)
	}
	switch f.run.state {
	case "alive", "exited", "died":
		note += ", a run is there: " + string(f.run.state)
	}
	rec.Note = note
	if act, err := w.decide(); err == nil && act != attach && f.fits && w.configures() {
		w.kind = configure
	}
	switch {
	case w.kind == checkOnly && w.inv.Spec.RequireReporting && health == "none":
		return installer.Fail(installer.KindAgentMissing, "there is no agent on the host that could report")
	case w.kind == checkOnly && w.cannotReport(rec):
		return installer.Fail(installer.KindNotReporting, "the agent is %s and cannot report: %s",
			w.shown(strings.TrimSpace(health+" "+version), 80)+w.placeNote(f), rec.Found.Reporting.Why)
	case w.kind == checkOnly:
		rec.Found.Message = note
	case w.kind == jumpHost:
		rec.Found.Message = "can be a jump host: forwards TCP; " + note
	case w.alreadyThere() && f.busy != nil:
		return w.busy(*f.busy)
	case w.alreadyThere() && w.cannotReport(rec):
		return installer.Fail(installer.KindNotReporting,
			"the agent is already there, healthy, but cannot report: %s", rec.Found.Reporting.Why)
	case w.alreadyThere() && w.kind == remove:
		rec.Found.Skipped, rec.Found.Message = true, "nothing to remove: there is no agent"
	case w.alreadyThere():
		rec.Found.Skipped, rec.Found.TargetVersion = true, w.shown(version, 64)
		what := "already there: "
		if w.kind == configure {
			what = "already configured: "
		}
		rec.Found.Message = withReporting(what+w.shown("healthy, version "+version, 100)+w.placeNote(f)+w.bootNote(f), rec.Found.Reporting)
	default:
		err := w.prepare(rec.Found.CurrentVersion)
		if w.pkg != nil {
			rec.Found.Edition = w.pkg.Edition
		}
		return err
	}
	return nil
}

// cannotReport: the agent cannot, and it is required to.
func (w *work) cannotReport(rec *installer.StepRecord) bool {
	return w.inv.Spec.RequireReporting && rec.Found.Reporting.Able == installer.ReportingNo
}

// placeNote names the agent's place where that is not ours, and other agents.
func (w *work) placeNote(f *findings) string {
	if at := f.agent["at"]; at != "" {
		return " in " + w.shown(at, 200)
	}
	if others := f.elsewhere(); others != "" {
		return ", another one in " + w.shown(others, 200)
	}
	return ""
}

func (w *work) alreadyThere() bool {
	f := &w.found
	return w.kind.onTarget() && f.fits && (w.kind != configure || f.configured) && f.run.state == "absent" && !w.mayRun
}

// prepare finds what the work needs, before anything on the host is changed.
func (w *work) prepare(versionBefore string) error {
	others := w.found.elsewhere()
	switch {
	case others != "" && w.kind != remove && w.kind.onTarget() && !w.begun():
		return installer.Fail(installer.KindUnsupportedHost,
			"there is an agent in %s, not in /usr/local: uninstall it first (tripod uninstall)", w.shown(others, 200))
	case w.kind == restore && w.begun():
		_ = w.chooseKept() // stage fails without it, if it is to start again
	case w.kind == restore:
		return w.chooseKept()
	case w.kind == remove && !w.begun():
		return w.checkUndone()
	case w.inv.Task() == installer.Configure && !w.begun() && w.found.agent["agent"] == "none":
		return installer.Fail(installer.KindAgentMissing, "there is no agent on the host to configure")
	case w.inv.Task() == installer.Update && w.kind.onTarget() && !w.begun() &&
		w.found.agent["agent"] == "none" && versionBefore == "":
		return installer.Fail(installer.KindAgentMissing, "there is no agent on the host to update")
	case w.kind == agent:
		return w.choosePackage()
	}
	return nil
}

// begun: a script of this invocation, or of the one that it retries, may have
// changed the host.
func (w *work) begun() bool {
	return w.mayRun || w.found.run.state != "absent" && w.found.run.state != "staged"
}

func (w *work) madeFolder() bool {
	return w.found.root != "" && !w.begun() && w.kind.last() == installer.StepClean
}

// versionBefore is what a ROLLBACK goes back to. What a run of ours has left there since is another
// matter, and so is what a failed one broke: the scripts keep only a healthy version.
func (w *work) versionBefore() string {
	earlier := w.inv.CurrentVersion // what an earlier attempt, or what is retried, found
	switch {
	case w.before.looked:
		return w.before.outcome.CurrentVersion
	case w.begun(), earlier != "" && w.found.agent["agent"] != "healthy":
		return earlier
	case w.found.unfinished != "" && w.found.agent["agent"] != "healthy":
		return w.shown(w.found.unfinished, 64) // what a replacement found that was cut off
	}
	version := w.shown(w.found.agent["version"], 64)
	// What an earlier attempt brought may have come up after its end.
	if w.inv.Changed && (w.found.fits || version == w.inv.TargetVersion) {
		return earlier
	}
	if version == "" && w.found.agent["agent"] != "none" {
		return installer.VersionUnknown // to undo the work must not uninstall
	}
	return version
}

var agentStates = map[string]installer.AgentState{
	"none": installer.AgentNone, "healthy": installer.AgentRunning,
	"stopped": installer.AgentStopped, "unhealthy": installer.AgentFault,
}

func agentState(health string) installer.AgentState {
	return cmp.Or(agentStates[health], installer.AgentUnknown)
}

func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
