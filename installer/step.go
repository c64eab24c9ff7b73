package installer

import (
	"slices"
	"time"
)

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
	JumpHost bool          `json:"jump_host,omitempty"` // see Failure
	Note     string        `json:"note,omitempty"`      // one line for people: what was found or done
	Found    Findings      `json:"found,omitzero"`      // what a resumed attempt needs, and the outcome is made of
}

// Findings are what a step has found on its host. What it did not look for is zero.
type Findings struct {
	Root string   `json:"root,omitempty"` // where run folders are
	Boot string   `json:"boot,omitempty"` // the boot id
	Arch string   `json:"arch,omitempty"`
	Run  RunState `json:"run,omitempty"` // how the run stood
	// Looked: CurrentVersion is the agent's before the work; empty: there was none.
	Looked         bool       `json:"looked,omitempty"`
	CurrentVersion string     `json:"current_version,omitempty"`
	TargetVersion  string     `json:"target_version,omitempty"` // after it
	Agent          AgentState `json:"agent,omitempty"`
	Reporting      Reporting  `json:"reporting,omitzero"`
	AtBoot         BootState  `json:"at_boot,omitempty"`
	Edition        Edition    `json:"edition,omitempty"` // of the package that the host gets
	// Skipped: nothing was to be done. Changed: the step may have changed the host.
	Skipped    bool   `json:"skipped,omitempty"`
	Changed    bool   `json:"changed,omitempty"`
	Configured bool   `json:"configured,omitempty"` // the agent, and nothing else of it changed
	ExitCode   *int   `json:"exit_code,omitempty"`  // of the script
	Message    string `json:"message,omitempty"`    // the outcome's line
	Output     int64  `json:"output,omitempty"`     // bytes of the script's output
	Log        *int64 `json:"log,omitempty"`        // where the log stood before the script began
}

// BootState is whether the host starts the agent when it boots: enabled, disabled or unknown.
type BootState string

const (
	BootEnabled  BootState = "enabled"
	BootDisabled BootState = "disabled"
	BootUnknown  BootState = "unknown"
)

// RunState is how a script stands on its host: absent, staged, alive, exited, died
// (without an exit code) or fenced (another one runs).
type RunState string

const RunAlive RunState = "alive"

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
	for _, rec := range slices.Backward(a.Steps) {
		if rec.Step == s {
			return rec, true
		}
	}
	return StepRecord{}, false
}
