package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tripod/installer"
)

// Code is the API's error_code.
type Code string

// The API's codes.
const (
	CodeContentMissing  Code = "ces.0001"
	CodeProjectInvalid  Code = "ces.0003"
	CodePaging          Code = "ces.0006"
	CodeInternal        Code = "ces.0007"
	CodeStorage         Code = "ces.0008"
	CodeInvalidRequest  Code = "ces.0011"
	CodeURLParameter    Code = "ces.0013"
	CodeBodyInvalid     Code = "ces.0014"
	CodeUnauthenticated Code = "ces.0015"
	CodeNotFound        Code = "ces.0016"
	CodeForbidden       Code = "ces.0017"
	CodeTooLarge        Code = "APIGW.0201"
)

// ErrorInfo is one row of the table of error answers.
type ErrorInfo struct {
	Status int // HTTP status
	Code   Code
	// Meaning says when the answer is given.
	Meaning string
}

// errorTable is every error answer that there is, in the order of the
// documentation. The API documents no code for some HTTP statuses; there it is
// that of a related one.
var errorTable = []ErrorInfo{
	{http.StatusBadRequest, CodeContentMissing, "the content must be specified: the body is empty, or white space alone"},
	{http.StatusBadRequest, CodeProjectInvalid, "`project_id` in the path is missing or malformed"},
	{http.StatusBadRequest, CodePaging, "`offset` or `limit` is out of range"},
	{http.StatusBadRequest, CodeInvalidRequest, "the request is invalid: a header is malformed, or the body did not arrive whole"},
	{http.StatusBadRequest, CodeURLParameter, "a URL parameter is invalid or does not exist"},
	{http.StatusBadRequest, CodeBodyInvalid, "something in the body is not correct; the message names every path"},
	{http.StatusUnauthorized, CodeUnauthenticated, "authentication fails or is not provided"},
	{http.StatusForbidden, CodeForbidden, "not enough rights, or another project's"},
	{http.StatusNotFound, CodeNotFound, "the resource does not exist"},
	{http.StatusMethodNotAllowed, CodeInvalidRequest, "this method is not for this resource; see the header `Allow`"},
	{http.StatusRequestTimeout, CodeInvalidRequest, "the body did not arrive in time"},
	{http.StatusConflict, CodeInvalidRequest, "the `Idempotency-Key` was used for a request with another body; or the same task was asked for by somebody else just now"},
	{http.StatusRequestEntityTooLarge, CodeTooLarge, "the body is over 2 MiB"},
	{http.StatusUnsupportedMediaType, CodeInvalidRequest, "the body is no JSON in UTF-8, or is compressed"},
	{http.StatusTooManyRequests, CodeInvalidRequest, "too many requests, no room for the body, or as much work is open as may be; see the header `Retry-After`"},
	{http.StatusInternalServerError, CodeInternal, "internal service error; the daemon's log has more under the `X-Request-Id`"},
	{http.StatusServiceUnavailable, CodeInternal, "the request was given up before it was answered"},
	{http.StatusServiceUnavailable, CodeStorage, "the state could not be read or written (disk full, say): nothing was changed"},
}

// ErrorTable returns the whole table, in the order of the documentation.
func ErrorTable() []ErrorInfo { return slices.Clone(errorTable) }

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

func refuse(status int, code Code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Msg: fmt.Sprintf(format, args...)}
}

// maxErrorMsg bounds error_msg, in bytes. A request of 100 hosts with every
// field wrong names nearly all of them within it.
const maxErrorMsg = 64 << 10

// fullRetry is when to ask again where too much work is open.
const fullRetry = 30 * time.Second

// soonRetry is when to ask again where nothing tells more.
const soonRetry = 5 * time.Second

// errorOf is the one place that decides which error gets which answer. The
// text of an unexpected error is for the log, not for the user. What may go
// well a while later says when to come again.
func errorOf(err error) *Error {
	e := answerOf(err)
	if e.RetryAfter == 0 && (e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable) {
		again := *e
		again.RetryAfter = soonRetry
		return &again
	}
	return e
}

func answerOf(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if faults, ok := errors.AsType[installer.Faults](err); ok {
		e := refuse(http.StatusBadRequest, CodeBodyInvalid, "%s", join(faults))
		e.Faults = faults
		return e
	}
	var e *Error
	switch {
	case errors.Is(err, installer.ErrNotFound):
		e = refuse(http.StatusNotFound, CodeNotFound, "the resource does not exist")
	case errors.Is(err, installer.ErrUnderWay):
		e = refuse(http.StatusConflict, CodeInvalidRequest, "a RETRY or ROLLBACK of an invocation is under way already: nothing was changed")
	case errors.Is(err, installer.ErrOvertaken):
		e = refuse(http.StatusConflict, CodeInvalidRequest, "a later task changed a host meanwhile and is not undone: nothing was changed")
	case errors.Is(err, installer.ErrFull):
		e = refuse(http.StatusTooManyRequests, CodeInvalidRequest, "as much work is open as may be: nothing was changed; try again later")
		e.RetryAfter = fullRetry
	case errors.Is(err, installer.ErrStorage):
		e = refuse(http.StatusServiceUnavailable, CodeStorage, "the state could not be read or written: nothing was changed; try again later")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e = refuse(http.StatusServiceUnavailable, CodeInternal, "the request was given up before it was answered")
	default:
		e = refuse(http.StatusInternalServerError, CodeInternal, "internal service error: the daemon's log has more under this X-Request-Id")
	}
	e.cause = err
	return e
}

// join writes the faults on one line, bounded.
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
