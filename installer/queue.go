package installer

import (
	"context"
	"io"
	"time"
)

// ClaimFilter says which invocations are worked on.
type ClaimFilter struct {
	BatchID      string // empty: of all batches
	InvocationID string // empty: all of them
}

// Ledger is the reading side of a store, and how work gets into it.
type Ledger interface {
	// Submit stores the batch in one transaction and returns once it is on disk.
	Submit(ctx context.Context, b Batch) error
	// Invocation fails with ErrNotFound, also for another project's.
	Invocation(ctx context.Context, project, id string) (Invocation, error)
	// Invocations returns one page, newest first.
	Invocations(ctx context.Context, f Filter) (Page, error)
	// Cancel ends a PENDING invocation, asks a RUNNING one to stop, and reports whether it was open.
	Cancel(ctx context.Context, project, id string) (bool, error)
	// Log opens the invocation's log for reading; empty if it has none.
	Log(ctx context.Context, project, id string) (io.ReadCloser, error)
	Batch(ctx context.Context, project, id string) (BatchHead, error)
	// Batches returns the newest n heads, newest first.
	Batches(ctx context.Context, project string, n int) ([]BatchHead, error)
	// KnownHost returns a registered host. ErrNotFound.
	KnownHost(ctx context.Context, project, instanceID string) (Host, error)
	// HostAt returns the known host with this address and port. ErrNotFound, also where several have
	// them and none is reached by the same jump hosts.
	HostAt(ctx context.Context, project string, at Host) (Host, error)
	// IDNow is the id by which the host of a task is known now. It may have been imported since, under
	// an id of its own. One that is not known (any more) keeps its id.
	IDNow(ctx context.Context, project string, h Host) (string, error)
	// SameMachine tells by what both are known to be one machine, if they are.
	SameMachine(ctx context.Context, project string, a, b Host) (Sameness, error)
	// FollowUp finds the open RETRY or ROLLBACK about what inv began with (nil: none), and the id of
	// that. ErrSuperseded where none is open, and the task would undo a later one too.
	FollowUp(ctx context.Context, task Type, inv *Invocation) (origin string, open *Invocation, err error)
	// HostCredentials opens what is kept for a known host, as far as it may be sent to
	// that place: see Host.SameRoute. A Failure of KindCredentialMissing if nothing is.
	HostCredentials(ctx context.Context, project string, to Host) (Credentials, error)
	// CredentialsAgain opens what a RETRY or ROLLBACK of old is done with, and says how its host is then
	// reached: what was imported or accepted since old, else what old came with, else what is kept.
	// ErrNotFound for an unknown host; the host and KindCredentialMissing if nothing is kept.
	CredentialsAgain(ctx context.Context, old *Invocation) (Host, Credentials, error)
	// AgentKeys opens the agent's keys that came with a task; of nil: that the host was imported with, as
	// far as they may be sent there (Host.SameRoute). Zero: none are kept.
	AgentKeys(ctx context.Context, project string, to Host, of *Invocation) (AgentKeys, error)
	// ScriptVars opens secret variables in the same way.
	ScriptVars(ctx context.Context, project string, to Host, of *Invocation) (Vars, error)
	// JumpHosts returns those of SET_REMOTE_INSTALLER, the first one set first.
	JumpHosts(ctx context.Context, project string) ([]Host, error)
	RouteFinder
}

// Filter selects invocations. Zero fields select all.
type Filter struct {
	ProjectID    string       `json:"-"` // required
	BatchID      string       `json:"batch_id,omitzero"`
	InvocationID string       `json:"invocation_id,omitzero"`
	InstanceID   string       `json:"instance_id,omitzero"`
	InstanceType InstanceType `json:"-"`
	Type         Type         `json:"-"`
	Target       string       `json:"-"`
	State        State        `json:"-"`
	TasksOnly    bool         `json:"-"`               // what Invocation.InAPI holds for
	Offset       int64        `json:"offset,omitzero"` // 0–9999999999999
	Limit        int          `json:"limit,omitzero"`  // 1–100 through the API; 0: all
}

type Page struct {
	Invocations []Invocation `json:"invocations"`
	Count       int64        `json:"count"` // all that match
}

// Transition is what Next decided about the attempt that has just ended.
type Transition struct {
	State      State // PENDING: again at NotBefore
	NotBefore  time.Time
	EndAttempt bool // false: it was interrupted, is not counted, and goes on later
	Crashed    bool // the process died under it
	MayRun     bool // see Invocation; of an attempt that has ended
	Kind       Kind
	Message    string
	Outcome    Outcome
	At         time.Time
	Steps      []StepRecord // finished since the last Journal
}
