package recipe

import (
	"cmp"

	"tripod/installer"
)

// progress is what an attempt's journal says was done before this process took it up.
type progress struct {
	looked  bool   // the version before is known, empty: there was none
	root    string // where the host's run folder is
	staged  bool   // a launch may have reached the host
	ran     bool   // the script has ended well
	proved  bool   // verify is done
	over    bool   // nothing is left to do on the host
	failed  *installer.Failure
	outcome installer.Outcome
}

func readProgress(a installer.Attempt) progress {
	var p progress
	for _, rec := range a.Steps {
		p.read(rec)
	}
	return p
}

func (p *progress) read(rec installer.StepRecord) {
	addTo(&p.outcome, rec)
	p.root = cmp.Or(rec.Found.Root, p.root)
	p.looked = p.looked || rec.Found.Looked
	p.over = p.over || rec.Found.Skipped
	well := rec.Kind == ""
	switch rec.Step {
	case installer.StepStage:
		p.staged = p.staged || well
	case installer.StepRun:
		p.ran = well
	case installer.StepVerify:
		p.proved = well
	case installer.StepClean:
		// Whether it went well or not: it is tried once.
		p.over = p.proved || p.failed != nil
	}
	if rec.Step != installer.StepRun && rec.Step != installer.StepVerify {
		return
	}
	p.failed = nil
	// A run whose fate is not known, or that could not begin, is looked at again.
	if !well && !rec.Kind.Info().Unknown && rec.Kind != installer.KindHostBusy {
		p.failed = &installer.Failure{Kind: rec.Kind, Step: rec.Step, Detail: rec.Note}
	}
}

func addTo(o *installer.Outcome, rec installer.StepRecord) {
	found := rec.Found
	if found.Looked {
		o.CurrentVersion = found.CurrentVersion
	}
	o.Agent = cmp.Or(found.Agent, o.Agent)
	o.Reporting = cmp.Or(found.Reporting, o.Reporting)
	o.TargetVersion = cmp.Or(found.TargetVersion, o.TargetVersion)
	o.Edition = cmp.Or(found.Edition, o.Edition)
	o.Message = cmp.Or(found.Message, o.Message)
	o.ExitCode = cmp.Or(found.ExitCode, o.ExitCode)
	o.Skipped, o.Configured = o.Skipped || found.Skipped, o.Configured || found.Configured
	o.Changed = o.Changed || found.Changed || rec.Step == installer.StepRun && rec.Kind == ""
}

// skips reports whether the step is done already. Connect and probe never are,
// unless everything is.
func (p *progress) skips(s installer.Step) bool {
	switch s {
	case installer.StepStage, installer.StepRun:
		return p.proved || p.failed != nil || p.ran
	case installer.StepVerify:
		return p.proved || p.failed != nil
	}
	return false
}

func (p *progress) verdict() error {
	if p.failed == nil {
		return nil
	}
	return p.failed
}
