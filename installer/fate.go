package installer

import "slices"

// mayRun tells, from the steps that the present attempt has finished, whether a
// script of the invocation may still run on its host. A launch comes after stage,
// and nobody has seen the end of it before run says so.
func (inv *Invocation) mayRun(steps []StepRecord) bool {
	may := inv.MayRun
	for _, rec := range steps {
		switch rec.Step {
		case StepProbe:
			if rec.Found.Run != "" {
				may = rec.Found.Run == RunAlive
			}
		case StepStage:
			may = may || rec.Kind == ""
		case StepRun:
			may = rec.Kind.Info().Unknown
		}
	}
	return may
}

// outcomeOf is what is known of the host when an attempt has ended with o after
// these steps. Zero: nothing new. Where a step panicked or the process died, the
// steps alone tell. What the attempt has not looked for is as it was known before,
// and what was changed stays changed.
func (inv *Invocation) outcomeOf(o Outcome, steps []StepRecord, may bool) Outcome {
	looked, told := false, o != Outcome{}
	for _, rec := range steps {
		looked = looked || rec.Found.Looked
		if rec.Found.Looked && !told {
			o.CurrentVersion = rec.Found.CurrentVersion
		}
		o.Changed = o.Changed || rec.Found.Changed || rec.Step == StepRun && rec.Kind == ""
	}
	o.Changed = o.Changed || may && !inv.Changed
	if o == (Outcome{}) {
		return o
	}
	if !looked && o.CurrentVersion == "" {
		o.CurrentVersion = inv.CurrentVersion
	}
	o.Changed = o.Changed || inv.Changed
	return o
}

// soFar are the steps of the present attempt: those that were stored before it was
// taken up, and what has been finished since.
func (inv *Invocation) soFar(since []StepRecord) []StepRecord {
	a := inv.Attempt()
	if a == nil {
		return since
	}
	return append(slices.Clone(a.Steps), since...)
}
