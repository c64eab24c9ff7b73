package installer

import "time"

// Type is what an invocation does; the API's invocation_type.
type Type string

const (
	Install            Type = "INSTALL"
	Update             Type = "UPDATE"
	Rollback           Type = "ROLLBACK"
	Retry              Type = "RETRY"
	SetRemoteInstaller Type = "SET_REMOTE_INSTALLER"
	RemoteInstall      Type = "REMOTE_INSTALL"
)

// State is where an invocation stands; the API's invocation_status.
//
//	PENDING → RUNNING → SUCCEEDED | FAILED | TIMEOUT | CANCELED
//	   ↑         │                   SUCCEEDED → ROLLBACKED
//	   └─────────┘ again later, or interrupted
type State string

const (
	// Pending: waits for a worker, for NotBefore, or for its host to be free.
	// Entered when submitted, and from RUNNING to be tried again.
	Pending State = "PENDING"
	// Running: a worker has claimed it. Left by Finish only; what is RUNNING
	// when a store is opened is an orphan and goes back to PENDING.
	Running State = "RUNNING"
	// Succeeded: verified on the host.
	Succeeded State = "SUCCEEDED"
	// Failed: known not to have succeeded.
	Failed State = "FAILED"
	// Timeout: a limit ended it, or its fate on the host is not known.
	Timeout State = "TIMEOUT"
	// Canceled: by the user, its processes on the host gone.
	Canceled State = "CANCELED"
	// Rollbacked: SUCCEEDED, undone afterwards by a ROLLBACK.
	Rollbacked State = "ROLLBACKED"
)

// Terminal reports whether s is an end.
func (s State) Terminal() bool { return s != Pending && s != Running }

// TargetTelescope is the API's only invocation_target and the default.
const TargetTelescope = "telescope"

// Spec is what to do on the host, apart from who and where.
type Spec struct {
	Target string `json:"target"` // ^[a-z0-9][a-z0-9-]{0,31}$
	// Version wanted, 0–64 characters; empty: whatever the package holds.
	Version     string `json:"version,omitempty"`
	VersionType string `json:"version_type,omitempty"` // BASIC_VERSION | ADVANCE_VERSION
	Origin      string `json:"origin,omitempty"`       // CES | APICOM_BMS | ADMIN_SERVER
	// Script replaces the target's own recipe scripts by the user's script.
	Script *BlobRef `json:"script,omitempty"`
	// Packages are the agent's archives; probe chooses by architecture.
	Packages []BlobRef `json:"packages,omitempty"`
	// Online is where a host gets the agent from where no package is given. Nil:
	// it does not.
	Online   *Online       `json:"online,omitempty"`
	HostKeys HostKeyPolicy `json:"host_keys"`
	// RunTimeout bounds the script on the host. Zero: Limits.Run.
	RunTimeout time.Duration `json:"run_timeout,omitempty"`
	// CheckOnly probes and reports, and changes nothing.
	CheckOnly bool `json:"check_only,omitempty"`
	// Task is what is done on the host: the invocation's type, or for a RETRY
	// that of what is retried. Empty: the invocation's type.
	Task Type `json:"task,omitempty"`
	// Restore is the version that a ROLLBACK goes back to, from what is kept on
	// the host. Empty: the agent is uninstalled. For a ROLLBACK only.
	Restore string `json:"restore,omitempty"`
	// Undoes is what the host must say of itself before a ROLLBACK changes it: that
	// nothing but the invocation which is undone has made it what it is.
	Undoes Undone `json:"undoes,omitzero"`
}

// Undone is the work that a ROLLBACK undoes.
type Undone struct {
	RunID   string `json:"run_id,omitempty"`  // of the invocation
	Version string `json:"version,omitempty"` // that it has left
}

// VersionUnknown stands for the version of an agent that is there and does not
// tell it. Where there is no agent, the version is empty.
const VersionUnknown = "unknown"

// Outcome is what a successful attempt found.
type Outcome struct {
	// Skipped: the host already ran the wanted version healthily.
	Skipped bool `json:"skipped,omitempty"`
	// Changed: this attempt, or an earlier one of the same task, has changed the
	// host, so that it may be what one that is Skipped has found there. What older
	// versions have stored does not tell: see Invocation.ChangedHost.
	Changed bool `json:"changed,omitempty"`
	// CurrentVersion of the agent before the work, TargetVersion after the
	// attempt. A version that a failed attempt left is not the one before. Empty:
	// there was no agent, or nobody has looked; see VersionUnknown.
	CurrentVersion string `json:"current_version,omitempty"`
	TargetVersion  string `json:"target_version,omitempty"`
	// Edition of the package that was chosen for the host's architecture; empty: none
	// was, or nobody knows.
	Edition Edition `json:"edition,omitempty"`
	// Agent is what was found of the agent on the host last, if it was looked for.
	Agent AgentState `json:"agent,omitempty"`
	// ExitCode of the script, where it ran. 128+n: killed by signal n.
	ExitCode *int `json:"exit_code,omitempty"`
	// Message is one line for people.
	Message string `json:"message,omitempty"`
}

// Invocation is one task on one host, as stored.
type Invocation struct {
	ID        string `json:"invocation_id"`
	BatchID   string `json:"batch_id"`
	ProjectID string `json:"project_id"`
	Type      Type   `json:"type"`
	Host      Host   `json:"host"`
	Spec      Spec   `json:"spec"`
	// RunID names the run directory on the host. It is the ID of the first
	// invocation in a chain of RETRYs, so that a retry finds what an earlier
	// one left running.
	RunID string `json:"run_id"`
	// Of is the invocation that a RETRY or ROLLBACK is about.
	Of string `json:"of,omitempty"`
	// UndoneBy is the ROLLBACK, or RETRY of one, that made this ROLLBACKED; empty if
	// an older tripod did.
	UndoneBy string `json:"undone_by,omitempty"`

	State     State     `json:"state"`
	NotBefore time.Time `json:"not_before,omitzero"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	Attempts  []Attempt `json:"attempts,omitempty"`
	// Crashes counts how often the process died while this was RUNNING,
	// since its last finished step, and AllCrashes since it was submitted.
	Crashes    int `json:"crashes,omitempty"`
	AllCrashes int `json:"all_crashes,omitempty"`
	// MayRun: an attempt, or what this retries, has ended and a script of it may
	// still run on the host.
	MayRun bool `json:"may_run,omitempty"`
	// CancelAsked: a cancel came while it was RUNNING.
	CancelAsked bool `json:"cancel_asked,omitempty"`
	// Claim is raised at every claim: a worker whose claim is not the latest
	// can no longer write.
	Claim uint64 `json:"claim"`

	Kind    Kind   `json:"kind,omitempty"`    // why it failed, or failed last
	Message string `json:"message,omitempty"` // one line for people, no secret
	Outcome
}

// Task is what the invocation does on the host: its type, or for a RETRY that of
// what is retried.
func (inv *Invocation) Task() Type {
	if inv.Spec.Task != "" {
		return inv.Spec.Task
	}
	return inv.Type
}

// Ref names one claim of one invocation, for compare-and-set.
type Ref struct {
	ID    string
	Claim uint64
}

// Ref returns the invocation's present claim.
func (inv *Invocation) Ref() Ref { return Ref{inv.ID, inv.Claim} }

// Attempt returns the attempt that goes on, or nil.
func (inv *Invocation) Attempt() *Attempt {
	if n := len(inv.Attempts); n > 0 && inv.Attempts[n-1].Ended.IsZero() {
		return &inv.Attempts[n-1]
	}
	return nil
}

// TriesDone counts the attempts that are over.
func (inv *Invocation) TriesDone() int {
	n := len(inv.Attempts)
	if inv.Attempt() != nil {
		n--
	}
	return n
}
