package recipe

import (
	"strconv"

	"tripod/installer"
)

// Names of facts in the journal.
const (
	factRoot    = "root"                // run root on the host
	factBoot    = "boot"                // its boot id
	factCurrent = installer.FactCurrent // agent's version before
	factChanged = installer.FactChanged // "yes": the host may have been changed
	factRun     = installer.FactRun     // how the run stood
	factTarget  = "target"              // agent's version after
	factAgent   = "agent"               // how the agent is: an installer.AgentState
	factExit    = "exit"                // script's exit code
	factSkipped = "skipped"             // "yes": nothing was to be done
	factEdition = "edition"             // of the package that the host gets
	factMessage = "message"             // the outcome's line
	factOutput  = "output"              // bytes of output
	factLog     = "log"                 // where the log stood before the script began
)

// past is what an attempt's journal says was done before this process took it
// up.
type past struct {
	looked  bool   // the version before is known, empty: there was none
	root    string // where the host's run folder is
	staged  bool   // a launch may have reached the host
	ran     bool   // the script has ended well
	proved  bool   // verify is done
	over    bool   // nothing is left to do on the host
	failed  *installer.Failure
	outcome installer.Outcome
}

func readPast(a installer.Attempt) past {
	var p past
	for _, rec := range a.Steps {
		p.read(rec)
	}
	return p
}

func (p *past) read(rec installer.StepRecord) {
	if root := rec.Facts[factRoot]; root != "" {
		p.root = root
	}
	if v, ok := rec.Facts[factCurrent]; ok {
		p.outcome.CurrentVersion, p.looked = v, true
	}
	if v := rec.Facts[factAgent]; v != "" {
		p.outcome.Agent = installer.AgentState(v)
	}
	if v := rec.Facts[factTarget]; v != "" {
		p.outcome.TargetVersion = v
	}
	if v := rec.Facts[factEdition]; v != "" {
		p.outcome.Edition = installer.Edition(v)
	}
	if v := rec.Facts[factMessage]; v != "" {
		p.outcome.Message = v
	}
	if code, err := strconv.Atoi(rec.Facts[factExit]); err == nil {
		p.outcome.ExitCode = &code
	}
	if rec.Facts[factSkipped] == "yes" {
		p.outcome.Skipped, p.over = true, true
	}
	well := rec.Kind == ""
	if rec.Facts[factChanged] == "yes" || rec.Step == installer.StepRun && well {
		p.outcome.Changed = true
	}
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

// skips reports whether the step is behind us. Connect and probe never are,
// unless everything is.
func (p *past) skips(s installer.Step) bool {
	decided := p.proved || p.failed != nil
	switch s {
	case installer.StepStage, installer.StepRun:
		return decided || p.ran
	case installer.StepVerify:
		return decided
	}
	return false
}

// verdict is how the attempt ended, as far as the journal knew before.
func (p *past) verdict() error {
	if p.failed == nil {
		return nil
	}
	return p.failed
}
