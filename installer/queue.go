package installer

import (
	"context"
	"io"
	"time"
)

// Queue is what the engine needs of a store. Every change of a claimed
// invocation is a compare-and-set on its Ref: ErrStale if another claim is
// the latest. When a method returns nil, the change is on disk (P1).
type Queue interface {
	// Claim takes the ready invocation that has waited longest and whose host
	// has no other one RUNNING, sets it RUNNING, and begins its next attempt or
	// goes on with the one that was interrupted. With nothing ready it returns nil and when
	// the next one will be (zero: not before something changes).
	Claim(ctx context.Context, now time.Time, f ClaimFilter) (*Invocation, time.Time, error)
	// Credentials opens the sealed credentials. A Failure of
	// KindCredentialMissing if they are gone.
	Credentials(ctx context.Context, inv *Invocation) (Credentials, error)
	// Journal appends finished steps to the attempt.
	Journal(ctx context.Context, ref Ref, steps ...StepRecord) error
	// Finish appends the transition's steps, and applies what Next decided.
	Finish(ctx context.Context, ref Ref, t Transition) error
	// Orphans returns what is RUNNING though nobody works on it: after Open,
	// before the first Claim.
	Orphans(ctx context.Context) ([]Invocation, error)
	// OpenLog opens the invocation's log for appending. Writes past the log's
	// cap are dropped and the cut is marked.
	OpenLog(ctx context.Context, inv *Invocation) (io.WriteCloser, error)
}

// ClaimFilter narrows Claim.
type ClaimFilter struct {
	// BatchID: only this batch. Empty: all.
	BatchID string
	// InvocationID: only this invocation. Empty: all.
	InvocationID string
}

// Ledger is the reading side of a store, and how work gets into it.
type Ledger interface {
	// Submit stores the batch in one transaction and returns once it is on disk.
	Submit(ctx context.Context, b Batch) error
	// Invocation fails with ErrNotFound, also for another project's.
	Invocation(ctx context.Context, project, id string) (Invocation, error)
	// Invocations returns one page, newest first.
	Invocations(ctx context.Context, f Filter) (Page, error)
	// Cancel ends a PENDING invocation and asks a RUNNING one to stop. It
	// reports whether the invocation was still open.
	Cancel(ctx context.Context, project, id string) (bool, error)
	// Log opens the invocation's log for reading; empty if it has none.
	Log(ctx context.Context, project, id string) (io.ReadCloser, error)
	// Batch returns the batch's head. ErrNotFound.
	Batch(ctx context.Context, project, id string) (BatchHead, error)
	// Batches returns the newest n heads, newest first.
	Batches(ctx context.Context, project string, n int) ([]BatchHead, error)
	// KnownHost returns a registered host. ErrNotFound.
	KnownHost(ctx context.Context, project, instanceID string) (Host, error)
	// HostAt returns the known host with this address and port, whatever its id.
	// ErrNotFound, also where several have them and none is reached by the same
	// installers.
	HostAt(ctx context.Context, project string, at Host) (Host, error)
	// SameMachine tells whether both are one machine, and by what that is known.
	SameMachine(ctx context.Context, project string, a, b Host) (Sameness, error)
	// FollowUp finds the open RETRY or ROLLBACK about what inv began with (nil: there
	// is none), and the id of that. ErrOvertaken where none is open, and the task would
	// undo a later one too: Submit refuses it then.
	FollowUp(ctx context.Context, task Type, inv *Invocation) (origin string, open *Invocation, err error)
	// HostCredentials opens what is stored for a known host, as far as it may be
	// sent to where the caller is about to send it: see Host.SameRoute. A Failure of
	// KindCredentialMissing if nothing is.
	HostCredentials(ctx context.Context, project string, to Host) (Credentials, error)
	// CredentialsAgain opens what a RETRY or ROLLBACK of old is done with, and says
	// how its host is reached with that: what was imported for the host or accepted
	// by it since old, else what old came with, else what is kept. ErrNotFound if
	// the host is not known; a Failure of KindCredentialMissing if nothing is kept:
	// the host is told then too.
	CredentialsAgain(ctx context.Context, old *Invocation) (Host, Credentials, error)
	// Installers returns the hosts that SET_REMOTE_INSTALLER made installers,
	// the first one set first.
	Installers(ctx context.Context, project string) ([]Host, error)
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
	TasksOnly    bool         `json:"-"`               // not what only looked (Spec.CheckOnly)
	Offset       int64        `json:"offset,omitzero"` // 0–9999999999999
	Limit        int          `json:"limit,omitzero"`  // 1–100 through the API; 0: all
}

// Page is a part of a list.
type Page struct {
	Invocations []Invocation `json:"invocations"`
	Count       int64        `json:"count"` // all that match
}

// Transition is what Next decided about the attempt that has just ended.
type Transition struct {
	State     State // PENDING: again at NotBefore
	NotBefore time.Time
	// EndAttempt is false for an interrupted attempt: it is not counted, and
	// goes on later.
	EndAttempt bool
	// Crashed: the process died under it.
	Crashed bool
	// MayRun: see Invocation. Of an attempt that has ended.
	MayRun  bool
	Kind    Kind
	Message string
	Outcome Outcome
	At      time.Time
	// Steps are those that were finished since the last Journal.
	Steps []StepRecord
}
