package installer

import (
	"context"
	"errors"
	"fmt"
)

// Failure is an error that has been classified: where SSH is spoken
// (sshdial, sshconn) or by a step of the recipe. Nothing above looks at text.
type Failure struct {
	Kind Kind
	// Step in which it happened; the recipe fills it in where it is empty.
	Step Step
	// Detail is one line for people: what was seen. No secret, no hint.
	Detail string
	// Err is the cause, or nil. Its text is not shown to users.
	Err error
}

// Fail makes a Failure whose detail is formatted. An error among args wrapped
// by %w is kept as the cause.
func Fail(kind Kind, format string, args ...any) *Failure {
	err := fmt.Errorf(format, args...)
	return &Failure{Kind: kind, Detail: err.Error(), Err: errors.Unwrap(err)}
}

func (f *Failure) Error() string {
	if f.Step == "" {
		return fmt.Sprintf("%s: %s", f.Kind, f.Detail)
	}
	return fmt.Sprintf("%s: %s: %s", f.Step, f.Kind, f.Detail)
}

func (f *Failure) Unwrap() error { return f.Err }

// FailureOf finds the Failure in err, or makes one: anything unclassified is
// KindInternal. It returns nil for nil.
func FailureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Kind: KindInternal, Detail: err.Error(), Err: err}
}

// Causes with which the engine cancels an attempt's context; context.Cause
// tells them apart.
var (
	// ErrShutdown: the process is asked to stop. The attempt is not counted.
	ErrShutdown = errors.New("tripod is shutting down")
	// ErrCanceled: the user canceled the invocation. The recipe kills what
	// runs on the host and confirms that it is gone.
	ErrCanceled = errors.New("canceled by the user")
	// ErrAttemptTimeout: the whole attempt took longer than Limits.Attempt.
	ErrAttemptTimeout = errors.New("the attempt took longer than its limit")
)

// Errors of Queue, Ledger and Blobs. Test with errors.Is.
var (
	// ErrNotFound: no such thing in this project.
	ErrNotFound = errors.New("not found")
	// ErrKeyTaken: the Idempotency-Key was used before.
	ErrKeyTaken = errors.New("this Idempotency-Key was used before")
	// ErrExists: an id or a name is taken.
	ErrExists = errors.New("already exists")
	// ErrUnderWay: a RETRY or ROLLBACK of that invocation has not ended.
	ErrUnderWay = errors.New("a task about it is under way already")
	// ErrOvertaken: a ROLLBACK of what a later task has replaced.
	ErrOvertaken = errors.New("a later task changed the host and is not undone")
	// ErrInUse: work that has not ended needs it.
	ErrInUse = errors.New("in use")
	// ErrFull: as much work is open as may be.
	ErrFull = errors.New("too much work is open")
	// ErrStale: the claim is not the latest, or the invocation has ended.
	ErrStale = errors.New("stale claim: the invocation was taken up by somebody else or has ended")
	// ErrStorage: the state could not be read or written. Nothing new may be
	// acknowledged.
	ErrStorage = errors.New("storage error")
)

// Interrupted reports whether ctx was canceled by shutdown rather than by a
// limit or the user.
func Interrupted(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), ErrShutdown)
}
