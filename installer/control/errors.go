package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/plan"
)

// DefaultPatience is how long a client waits for a daemon that does not answer.
const DefaultPatience = 5 * time.Minute

// codeCredentialMissing is a plan.MissingCredentials.
const codeCredentialMissing api.Code = "tripod.0001"

// errEnds: the process is about to leave the folder. Another one will answer.
var errEnds = errors.New("this process is about to leave the state folder")

// sentinels are the errors that the client gets as the store has them, by their codes.
var sentinels = []struct {
	code   api.Code
	status int
	err    error
}{
	{"tripod.0002", http.StatusConflict, installer.ErrInUse},
	{"tripod.0003", http.StatusConflict, installer.ErrExists},
	{"tripod.0004", http.StatusNotFound, installer.ErrNotFound},
	{"tripod.0005", http.StatusConflict, errEnds},
}

// toldByAPI are errors for which the API has an answer of its own.
var toldByAPI = []error{
	installer.ErrStorage, installer.ErrFull, installer.ErrUnderWay, installer.ErrSuperseded, context.Canceled, context.DeadlineExceeded,
}

// answerTo makes an error one for the client, which turns it back: see plainError. Of
// what changes something, other errors are about the input: the store looks at it last.
func answerTo(err error, changes bool) error {
	if err == nil {
		return nil
	}
	if m, ok := errors.AsType[*plan.MissingCredentials](err); ok {
		e := api.Refuse(http.StatusConflict, codeCredentialMissing, "%s", m.Error())
		e.Faults = m.Faults
		return e
	}
	_, refused := errors.AsType[*api.Error](err)
	_, faults := errors.AsType[installer.Faults](err)
	if refused || faults || slices.ContainsFunc(toldByAPI, func(known error) bool { return errors.Is(err, known) }) {
		return err
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return api.Refuse(s.status, s.code, "%s", err)
		}
	}
	if changes {
		return api.Refuse(http.StatusBadRequest, api.CodeBodyInvalid, "%s", err)
	}
	return err
}

// plainError turns an answer into the error that a store has.
func plainError(err error) error {
	e, answered := errors.AsType[*api.Error](err)
	if !answered {
		return asUnanswered(err)
	}
	for _, s := range sentinels {
		if e.Code == s.code {
			return &remoteError{e.Msg, s.err}
		}
	}
	switch {
	case e.Code == codeCredentialMissing:
		return &plan.MissingCredentials{Faults: e.Faults}
	case len(e.Faults) > 0:
		return e.Faults
	case e.Code == api.CodeStorage && e.Cause() != nil:
		return &remoteError{e.Cause().Error(), errors.Join(installer.ErrStorage, e)}
	case e.Code == api.CodeStorage:
		return &remoteError{installer.ErrStorage.Error() + ": the daemon: " + e.Error(), errors.Join(installer.ErrStorage, e)}
	case e.Cause() != nil:
		return e.Cause()
	case e.Status == http.StatusBadRequest:
		return &remoteError{e.Msg, e}
	}
	return asUnanswered(err)
}

// remoteError has the text of the answer, and is one of our errors.
type remoteError struct {
	msg string
	is  error
}

func (e *remoteError) Error() string { return e.msg }
func (e *remoteError) Unwrap() error { return e.is }

// Unanswered: the daemon was asked in vain for as long as the client waits. What
// it had acknowledged before goes on there; whether it still took this request
// is not known.
type Unanswered struct{ Err error }

func (e *Unanswered) Error() string { return "the daemon does not answer: " + e.Err.Error() }
func (e *Unanswered) Unwrap() error { return e.Err }

// asUnanswered marks the errors of a way on which no daemon has answered. What
// the user has interrupted is none of them.
func asUnanswered(err error) error {
	_, already := errors.AsType[*Unanswered](err)
	if err == nil || already || errors.Is(err, context.Canceled) || errors.Is(err, installer.ErrShutdown) {
		return err
	}
	if e, answered := errors.AsType[*api.Error](err); answered { // by a proxy on the way
		if e.Status != http.StatusBadGateway && e.Status != http.StatusGatewayTimeout {
			return err
		}
		return &Unanswered{err}
	}
	_, dialled := errors.AsType[*url.Error](err)
	_, read := errors.AsType[net.Error](err)
	if dialled || read || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) {
		return &Unanswered{err}
	}
	return err
}

// mayRecover reports whether asking again may help, and when at the earliest: nobody has
// answered, or one that cannot just now.
func mayRecover(err error) (after time.Duration, may bool) {
	_, unanswered := errors.AsType[*Unanswered](err)
	may = unanswered || errors.Is(err, errEnds)
	if e, answered := errors.AsType[*api.Error](err); answered {
		after = min(e.RetryAfter, time.Minute)
		may = may || e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable
	}
	return after, may
}
