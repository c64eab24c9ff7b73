package installer

import (
	"errors"
	"fmt"
)

// Failure is an error that has been classified: where SSH is spoken
// (sshdial, sshconn) or by a step of the recipe. Nothing above looks at text.
type Failure struct {
	Kind   Kind
	Step   Step   // in which it happened; the recipe fills it in
	Detail string // one line for people: what was seen; no secret, no hint
	Err    error  // the cause; its text is not shown to users
	// JumpHost: a jump host on the way is what failed, which tells nothing of the host or its login.
	JumpHost bool
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

// FailureOf finds the Failure in err; an unclassified one is KindInternal, and nil is nil.
func FailureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Kind: KindInternal, Detail: err.Error(), Err: err}
}

// Causes (context.Cause) with which the engine cancels an attempt's context.
var (
	ErrShutdown       = errors.New("tripod is shutting down") // the attempt is not counted
	ErrCanceled       = errors.New("canceled by the user")
	ErrAttemptTimeout = errors.New("the attempt took longer than its limit")
)

// Errors of a store. Test with errors.Is.
var (
	ErrNotFound   = errors.New("not found") // in this project
	ErrKeyTaken   = errors.New("this Idempotency-Key was used before")
	ErrExists     = errors.New("already exists") // an id or a name is taken
	ErrUnderWay   = errors.New("a task about it is under way already")
	ErrSuperseded = errors.New("a later task changed the host and is not undone")
	ErrInUse      = errors.New("in use") // by work that has not ended
	ErrFull       = errors.New("too much work is open")
	// ErrNoExitStatus: a server has ended a command, and the connection still stands.
	ErrNoExitStatus = errors.New("the server closed the session without an exit status")
	ErrStale        = errors.New("stale claim: the invocation was taken up by somebody else or has ended")
	ErrStorage      = errors.New("storage error") // nothing new may be acknowledged
)
