package installer

import (
	"cmp"
	"time"
)

// Type is what an invocation does; the API's invocation_type.
type Type string

const (
	Install            Type = "INSTALL"
	Update             Type = "UPDATE"
	Rollback           Type = "ROLLBACK"
	Retry              Type = "RETRY"
	SetRemoteInstaller Type = "SET_REMOTE_INSTALLER"
	RemoteInstall      Type = "REMOTE_INSTALL"

	// Tripod's own. The agent-task API has no word for it, see Invocation.InAPI.
	Uninstall Type = "UNINSTALL"
	Configure Type = "CONFIGURE"
)

// State is where an invocation stands; the API's invocation_status.
//
//	PENDING → RUNNING → SUCCEEDED | FAILED | TIMEOUT | CANCELED
//	   ↑         │                   SUCCEEDED → ROLLBACKED
//	   └─────────┘ again later, or interrupted
type State string

const (
	Pending    State = "PENDING"    // waits for a worker, for NotBefore, or for its host to be free
	Running    State = "RUNNING"    // claimed; what is so when a store is opened is an orphan
	Succeeded  State = "SUCCEEDED"  // verified on the host
	Failed     State = "FAILED"     // known not to have succeeded
	Timeout    State = "TIMEOUT"    // a limit ended it, or its fate on the host is not known
	Canceled   State = "CANCELED"   // by the user; nothing of it runs on the host
	Rollbacked State = "ROLLBACKED" // SUCCEEDED, undone afterwards by a ROLLBACK
)

func (s State) Terminal() bool { return s != Pending && s != Running }

// Good: it ended as wanted; who undid one wanted that.
func (s State) Good() bool { return s == Succeeded || s == Rollbacked }

// Bad: it ended, and not as wanted.
func (s State) Bad() bool { return s.Terminal() && !s.Good() }

// TargetTelescope is the API's only invocation_target and the default.
const TargetTelescope = "telescope"

// Spec is what to do on the host, apart from who and where. See Spec.Validate.
type Spec struct {
	Target      string        `json:"target"`
	Version     string        `json:"version,omitempty"`      // wanted; empty: whatever the package holds
	VersionType string        `json:"version_type,omitempty"` // an Edition
	Origin      string        `json:"origin,omitempty"`       // CES | APICOM_BMS | ADMIN_SERVER
	Script      *BlobRef      `json:"script,omitempty"`       // the user's, in place of the target's own
	Packages    []BlobRef     `json:"packages,omitempty"`     // probe chooses by architecture
	Online      *Online       `json:"online,omitempty"`       // nil: no host gets the agent by itself
	Agent       *AgentConfig  `json:"agent_config,omitempty"` // of an invocation: complete for its host
	HostKeys    HostKeyPolicy `json:"host_keys"`
	RunTimeout  time.Duration `json:"run_timeout,omitempty"` // of the script; zero: Limits.Run
	CheckOnly   bool          `json:"check_only,omitempty"`  // probe, report and change nothing
	KeepTrying  bool          `json:"keep_trying,omitempty"` // its password, though other hosts have refused it
	Purge       bool          `json:"purge,omitempty"`       // an UNINSTALL removes the kept versions too
	Task        Type          `json:"task,omitempty"`        // of what is retried, for a RETRY; empty: the invocation's type
	Restore     string        `json:"restore,omitempty"`     // the version a ROLLBACK goes back to; empty: the agent is uninstalled
	// Undoes is what the host must still be like before a ROLLBACK changes it.
	Undoes Undone `json:"undoes,omitzero"`

	// RequireReporting: an agent that cannot report to Cloud Eye is a failure.
	RequireReporting bool `json:"require_reporting,omitempty"`

	// What Script gets on every host: arguments, variables, and files beside it, under their names.
	ScriptArgs []string          `json:"script_args,omitempty"`
	Env        map[string]string `json:"env,omitempty"`
	Send       []BlobRef         `json:"send,omitempty"`
}

// Undone is the work that a ROLLBACK undoes.
type Undone struct {
	RunID   string `json:"run_id,omitempty"`  // of the invocation
	Version string `json:"version,omitempty"` // that it has left
}

// VersionUnknown is of an agent that does not tell its version; no agent has an empty one.
const VersionUnknown = "unknown"

// Outcome is what an attempt found.
type Outcome struct {
	Skipped bool `json:"skipped,omitempty"` // the host already ran the wanted version healthily
	// Changed: this attempt, or an earlier one of the same task, has changed the host,
	// so that it may be what one that is Skipped has found there.
	Changed bool `json:"changed,omitempty"`
	// Configured: the agent was, and nothing else of it was changed.
	Configured bool `json:"configured,omitempty"`
	// CurrentVersion of the agent is that before the work, TargetVersion that after the
	// attempt. Empty: there was no agent, or nobody has looked; see VersionUnknown.
	CurrentVersion string     `json:"current_version,omitempty"`
	TargetVersion  string     `json:"target_version,omitempty"`
	Edition        Edition    `json:"edition,omitempty"`   // of the package that was chosen, where that is known
	Agent          AgentState `json:"agent,omitempty"`     // as found last
	Reporting      Reporting  `json:"reporting,omitzero"`  // as found last
	ExitCode       *int       `json:"exit_code,omitempty"` // of the script; 128+n: killed by signal n
	Message        string     `json:"message,omitempty"`   // one line for people
}

// Invocation is one task on one host, as stored.
type Invocation struct {
	ID        string `json:"invocation_id"`
	BatchID   string `json:"batch_id"`
	ProjectID string `json:"project_id"`
	Type      Type   `json:"type"`
	Host      Host   `json:"host"`
	Spec      Spec   `json:"spec"`
	// RunID names the run folder on the host: the ID of the first invocation in a chain
	// of RETRYs, so that a retry finds what an earlier one left running.
	RunID    string `json:"run_id"`
	Of       string `json:"of,omitempty"`        // what a RETRY or ROLLBACK is about
	UndoneBy string `json:"undone_by,omitempty"` // the ROLLBACK, or RETRY of one, that made this ROLLBACKED

	State     State     `json:"state"`
	NotBefore time.Time `json:"not_before,omitzero"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	Attempts  []Attempt `json:"attempts,omitempty"`
	// Crashes counts how often the process died while this was RUNNING, since its last
	// finished step, and AllCrashes since it was submitted.
	Crashes     int    `json:"crashes,omitempty"`
	AllCrashes  int    `json:"all_crashes,omitempty"`
	MayRun      bool   `json:"may_run,omitempty"`      // a script of an attempt that ended may still run on the host
	CancelAsked bool   `json:"cancel_asked,omitempty"` // a cancel came while it was RUNNING
	Claim       uint64 `json:"claim"`                  // raised at every claim; only the latest one can write

	Kind    Kind   `json:"kind,omitempty"`    // why it failed, or failed last
	Message string `json:"message,omitempty"` // one line for people, no secret
	Outcome
}

// Task is what the invocation does on the host: for a RETRY, what is retried.
func (inv *Invocation) Task() Type {
	return cmp.Or(inv.Spec.Task, inv.Type)
}

// InAPI reports whether the agent-task API has a word for what the invocation does. Its list of types
// is closed, so checks and tasks of Tripod's own types are not in its lists.
func (inv *Invocation) InAPI() bool {
	return !inv.Spec.CheckOnly && inv.Task() != Uninstall && inv.Task() != Configure
}

// Ref names one claim of one invocation, for compare-and-set.
type Ref struct {
	ID    string
	Claim uint64
}

func (inv *Invocation) Ref() Ref { return Ref{inv.ID, inv.Claim} }

// Attempt returns the attempt that goes on, or nil.
func (inv *Invocation) Attempt() *Attempt {
	if n := len(inv.Attempts); n > 0 && inv.Attempts[n-1].Ended.IsZero() {
		return &inv.Attempts[n-1]
	}
	return nil
}
