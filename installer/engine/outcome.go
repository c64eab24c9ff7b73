package engine

import (
	"slices"

	"tripod/installer"
)

// mayStillRun tells, from the steps that the present attempt has finished, whether a
// script of the invocation may still run on its host. A launch comes after stage,
// and nobody has seen the end of it before run says so.
func mayStillRun(inv *installer.Invocation, steps []installer.StepRecord) bool {
	may := inv.MayRun
	for _, rec := range steps {
		switch rec.Step {
		case installer.StepProbe:
			if rec.Found.Run != "" {
				may = rec.Found.Run == installer.RunAlive
			}
		case installer.StepStage:
			may = may || rec.Kind == ""
		case installer.StepRun:
			may = rec.Kind.Info().Unknown
		}
	}
	return may
}

// outcomeOf is what is known of the host when an attempt has ended with o after
// these steps. Zero: nothing new. Where a step panicked or the process died, the
// steps alone tell. What the attempt has not looked for is as it was known before,
// and what was changed stays changed.
func outcomeOf(inv *installer.Invocation, o installer.Outcome, steps []installer.StepRecord, may bool) installer.Outcome {
	looked, known := false, o != installer.Outcome{}
	for _, rec := range steps {
		looked = looked || rec.Found.Looked
		if rec.Found.Looked && !known {
			o.CurrentVersion = rec.Found.CurrentVersion
		}
		o.Changed = o.Changed || rec.Found.Changed || rec.Step == installer.StepRun && rec.Kind == ""
	}
	o.Changed = o.Changed || may && !inv.Changed
	if o == (installer.Outcome{}) {
		return o
	}
	if !looked && o.CurrentVersion == "" {
		o.CurrentVersion = inv.CurrentVersion
	}
	o.Changed = o.Changed || inv.Changed
	return o
}

// stepsSoFar are the steps of the present attempt: those that were stored before it was
// taken up, and what has been finished since.
func stepsSoFar(inv *installer.Invocation, since []installer.StepRecord) []installer.StepRecord {
	if a := inv.Attempt(); a != nil {
		return slices.Concat(a.Steps, since)
	}
	return since
}
