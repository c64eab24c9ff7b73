package installer

import "time"

// Step is one part of an attempt. The recipe runs them in this order.
type Step string

const (
	StepConnect Step = "connect" // dial, handshake, host key, authentication
	StepProbe   Step = "probe"   // what is this host, what is on it already
	StepStage   Step = "stage"   // bring scripts and package, checked, under their final names
	StepRun     Step = "run"     // the script, detached, followed
	StepVerify  Step = "verify"  // what is on the host now
	StepClean   Step = "clean"   // remove the run directory
)

// StepRecord is one finished step in the journal.
type StepRecord struct {
	Step     Step          `json:"step"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration"` // nanoseconds
	Kind     Kind          `json:"kind,omitempty"`
	// Note is one line for people: what was found or done.
	Note string `json:"note,omitempty"`
	// Facts are what a resumed attempt needs: run directory, exit code, versions.
	Facts map[string]string `json:"facts,omitempty"`
}

// Attempt is one try of an invocation. An attempt that shutdown or a crash
// cut short is not over: the next claim goes on with it.
type Attempt struct {
	Number  int          `json:"number"` // from 1
	Started time.Time    `json:"started"`
	Ended   time.Time    `json:"ended,omitzero"` // zero while it goes on
	Steps   []StepRecord `json:"steps"`
	Kind    Kind         `json:"kind,omitempty"` // why it failed
	Message string       `json:"message,omitempty"`
}

// Step returns the record of step s, the latest if there are several.
func (a Attempt) Step(s Step) (StepRecord, bool) {
	for i := len(a.Steps) - 1; i >= 0; i-- {
		if a.Steps[i].Step == s {
			return a.Steps[i], true
		}
	}
	return StepRecord{}, false
}
