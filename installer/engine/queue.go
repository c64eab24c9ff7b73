package engine

import (
	"context"
	"time"

	"tripod/installer"
)

// Queue is what the engine needs of a store. Every change of a claimed invocation is a
// compare-and-set on its Ref: ErrStale if another claim is the latest. When a method
// returns nil, the change is on disk (P1).
type Queue interface {
	// Claim takes the ready invocation that has waited longest and whose host has no
	// other one RUNNING, sets it RUNNING, and begins its next attempt or goes on with
	// the one that was interrupted. With nothing ready it returns nil and when the next
	// one will be (zero: not before something changes).
	Claim(ctx context.Context, now time.Time, f installer.ClaimFilter) (*installer.Invocation, time.Time, error)
	// Credentials opens the sealed credentials. A Failure of KindCredentialMissing if
	// they no longer exist.
	Credentials(ctx context.Context, inv *installer.Invocation) (installer.Credentials, error)
	// Journal appends finished steps to the attempt.
	Journal(ctx context.Context, ref installer.Ref, steps ...installer.StepRecord) error
	// Finish appends the transition's steps, and applies what Next decided. The log
	// is closed before it, so it is on disk before the result is.
	Finish(ctx context.Context, ref installer.Ref, t installer.Transition) error
	// FinishAndClaim is Finish of one attempt and Claim of the next in one transaction. Where it fails, neither
	// has taken place.
	FinishAndClaim(
		ctx context.Context, ref installer.Ref, t installer.Transition, now time.Time, f installer.ClaimFilter,
	) (*installer.Invocation, time.Time, error)
	// Orphans returns what is RUNNING though nobody works on it: after Open, before the
	// first Claim.
	Orphans(ctx context.Context) ([]installer.Invocation, error)
	// OpenLog opens the invocation's log for appending. Of one that grows longer than its
	// cap both ends are kept, and the gap is marked when it is read.
	OpenLog(ctx context.Context, inv *installer.Invocation) (installer.Log, error)
}

// Worker does the work of one attempt on one host. The recipes implement it.
type Worker interface {
	// Work runs the attempt's steps that are not in the journal yet. It ends soon after
	// ctx is done; context.Cause says why it was: ErrShutdown (leave the script running
	// on the host), ErrCanceled or ErrAttemptTimeout (kill it and confirm).
	//
	// The error is, or wraps, a Failure. Called from many goroutines.
	Work(ctx context.Context, job *installer.Job) (installer.Outcome, error)
}
