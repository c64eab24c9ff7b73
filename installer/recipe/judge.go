package recipe

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tripod/installer"
	"tripod/installer/lazyregexp"
)

func (w *work) judge(end runState, rec *installer.StepRecord) error {
	if end.state == "died" {
		return died(end)
	}
	if end.killed != "" {
		return killedBy(end.killed)
	}
	code := end.code
	rec.Found.ExitCode = &code
	if code == 0 {
		return nil
	}
	what := "the script exited with code " + strconv.Itoa(code)
	if code > 128 && code < 128+65 {
		what += fmt.Sprintf(" (as after signal %d)", code-128)
	}
	kind := installer.KindScriptFailed
	if w.kind.onTarget() {
		kind = exitKind(code, installer.StepRun)
		program := "install.sh"
		switch w.kind {
		case remove:
			program = "uninstall.sh"
		case configure:
			program = "configure.sh"
		}
		what = strings.Replace(what, "the script", program, 1)
	}
	if w.kind == restore && kind == installer.KindPackageMissing {
		kind = installer.KindNotKept
	}
	return installer.Fail(kind, "%s%s", what, w.quoted(w.tail.String()))
}

// forgetAgent: after a run that went wrong the agent may differ from what probe found. What the
// script saw at its end counts, where that is the version before, put back, or no agent at all.
func (w *work) forgetAgent(err error, rec *installer.StepRecord) {
	if unchanged(installer.FailureOf(err).Kind) || !w.kind.onTarget() {
		return
	}
	health := ""
	if rec.Found.ExitCode != nil { // it came to its end
		health = lastSeen(w.tail.String(), w.outcome.CurrentVersion)
	}
	rec.Found.Agent = agentState(health)
}

var agentLine = lazyregexp.New(`(?m)^tripod: agent=(\S+)(?: version=(\S*))?.*$`)

// lastSeen is the agent as a script last reported it; empty: not reported, or of another version than this.
func lastSeen(output, version string) string {
	health := ""
	for _, line := range agentLine().FindAllStringSubmatch(output, -1) {
		if health = ""; line[1] == "none" || version != "" && line[2] == version {
			health = line[1]
		}
	}
	return health
}

// bootNote is what people should know of the agent's start at boot; empty: it does.
func (w *work) bootNote(fs *findings) string {
	why := w.shown(fs.atBoot["why"], 200)
	switch state := fs.bootState(); {
	case state == installer.BootDisabled:
		return "; it does not start at boot: " + cmp.Or(why, "no reason given")
	case state == installer.BootUnknown && why != "":
		return "; whether it starts at boot is not known: " + why
	}
	return ""
}

func died(r runState) error {
	switch {
	case r.killed != "":
		return killedBy(r.killed)
	case r.rebooted:
		return installer.Fail(installer.KindScriptFailed, "the host was restarted while the script ran")
	}
	return installer.Fail(installer.KindScriptFailed, "the script was killed from outside (out of memory, or by somebody), with no exit code")
}

func killedBy(why string) error {
	if why == "canceled" {
		return installer.Fail(installer.KindCanceled, "canceled; the script was killed on the host")
	}
	return installer.Fail(installer.KindScriptTimeout, "the script ran longer than its limit and was killed")
}

func (w *work) changed(err error) bool {
	return err == nil || w.begun() && !unchanged(installer.FailureOf(err).Kind)
}

func unchanged(kind installer.Kind) bool {
	return slices.Contains([]installer.Kind{
		installer.KindHostBusy, installer.KindUploadFailed, installer.KindUnsupportedHost, installer.KindSudoDenied,
		installer.KindPackageMissing, installer.KindDownloadFailed, installer.KindNotKept, installer.KindInternal,
	}, kind)
}

// targetCodes are the exit codes of scripts/README.md.
var targetCodes = map[int]installer.Kind{
	2:  installer.KindInternal, // our settings file
	10: installer.KindSudoDenied,
	11: installer.KindUnsupportedHost,
	12: installer.KindNoSpace,
	13: installer.KindPackageMissing,
	14: installer.KindScriptFailed,
	15: installer.KindScriptFailed,
	16: installer.KindVerifyFailed,
	17: installer.KindVerifyFailed,
	18: installer.KindUnsupportedHost, // an agent in another place
	19: installer.KindDownloadFailed,
	21: installer.KindNotReporting,
}

func exitKind(code int, step installer.Step) installer.Kind {
	if kind, ok := targetCodes[code]; ok {
		return kind
	}
	switch step {
	case installer.StepProbe:
		return installer.KindUnsupportedHost
	case installer.StepVerify:
		return installer.KindVerifyFailed
	}
	return installer.KindScriptFailed
}
