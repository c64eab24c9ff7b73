package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tripod/installer"
)

// Error is an error answer of the API. The client returns it as it came.
type Error struct {
	Status int    `json:"-"` // HTTP status
	Code   Code   `json:"error_code"`
	Msg    string `json:"error_msg"`
	// RequestID is the answer's X-Request-Id; it is in the daemon's log too.
	RequestID string `json:"-"`
	// RetryAfter is when to ask again, as far as the answer says.
	RetryAfter time.Duration `json:"-"`
	// Faults are all that is wrong with the input, one by one. The public API
	// has them in Msg only.
	Faults installer.Faults `json:"-"`

	allow string // header of a 405
	cause error  // for the log and the user of this machine only
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%s, HTTP %d)", e.Msg, e.Code, e.Status) }

func (e *Error) Unwrap() error { return e.cause }

// Refuse makes an error answer for a Route.
func Refuse(status int, code Code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Msg: fmt.Sprintf(format, args...)}
}

var errorAnswers = []struct {
	is     error
	status int
	code   Code
	retry  time.Duration // when to ask again
	msg    string
}{
	{installer.ErrNotFound, http.StatusNotFound, CodeNotFound, 0, "the resource does not exist"},
	{installer.ErrUnderWay, http.StatusConflict, CodeInvalidRequest, 0, "a RETRY or ROLLBACK of an invocation is under way already: nothing was changed"},
	{installer.ErrSuperseded, http.StatusConflict, CodeInvalidRequest, 0, "a later task changed a host meanwhile and is not undone: nothing was changed"},
	{installer.ErrFull, http.StatusTooManyRequests, CodeInvalidRequest, 30 * time.Second, "as much work is open as may be: nothing was changed; try again later"},
	{installer.ErrStorage, http.StatusServiceUnavailable, CodeStorage, soonRetry, "the state could not be read or written: nothing was changed; try again later"},
	{context.Canceled, http.StatusServiceUnavailable, CodeInternal, soonRetry, "the request was given up before it was answered"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, CodeInternal, soonRetry, "the request was given up before it was answered"},
}

// soonRetry is when to ask again where nothing tells more.
const soonRetry = 5 * time.Second

// errorOf is the one place that decides which error gets which answer. The text of an
// unexpected error is for the log, not for the user.
func errorOf(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		if e.RetryAfter == 0 && (e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable) {
			later := *e
			later.RetryAfter = soonRetry
			return &later
		}
		return e
	}
	if faults, ok := errors.AsType[installer.Faults](err); ok {
		e := Refuse(http.StatusBadRequest, CodeBodyInvalid, "%s", join(faults))
		e.Faults = faults
		return e
	}
	for _, a := range errorAnswers {
		if errors.Is(err, a.is) {
			return &Error{Status: a.status, Code: a.code, Msg: a.msg, RetryAfter: a.retry, cause: err}
		}
	}
	return &Error{
		Status: http.StatusInternalServerError, Code: CodeInternal, cause: err,
		Msg: "internal service error: the daemon's log has more under this X-Request-Id",
	}
}

// maxErrorMsg bounds error_msg, in bytes. A request of 100 hosts with every
// field wrong names nearly all of them within it.
const maxErrorMsg = 64 << 10

func join(faults installer.Faults) string {
	var b strings.Builder
	for i, f := range faults {
		s := f.String()
		if b.Len()+len(s) > maxErrorMsg {
			fmt.Fprintf(&b, "; and %d more", len(faults)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(s)
	}
	return b.String()
}
