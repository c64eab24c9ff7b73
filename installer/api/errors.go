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

// Code is the API's error_code.
type Code string

// The API's codes. Where the API documents no code for an HTTP status (405,
// 408, 415), Tripod answers with CodeInvalidRequest.
const (
	CodeContentMissing  Code = "ces.0001"   // 400: the content must be specified
	CodeProjectInvalid  Code = "ces.0003"   // 400: the tenant id is missing or incorrect
	CodePaging          Code = "ces.0006"   // 400: the paging address is incorrect
	CodeInternal        Code = "ces.0007"   // 500: internal service error
	CodeStorage         Code = "ces.0008"   // 503: database error
	CodeInvalidRequest  Code = "ces.0011"   // 400: the request is invalid
	CodeURLParameter    Code = "ces.0013"   // 400: a URL parameter is invalid or does not exist
	CodeBodyInvalid     Code = "ces.0014"   // 400: some content in the message body is not correct
	CodeUnauthenticated Code = "ces.0015"   // 401: authentication fails or is not provided
	CodeNotFound        Code = "ces.0016"   // 404: the resource does not exist
	CodeForbidden       Code = "ces.0017"   // 403: not enough rights
	CodeTooLarge        Code = "APIGW.0201" // 413: request entity too large
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
	cause error  // for the log only
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%s, HTTP %d)", e.Msg, e.Code, e.Status) }

func (e *Error) Unwrap() error { return e.cause }

func refuse(status int, code Code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Msg: fmt.Sprintf(format, args...)}
}

// maxErrorMsg bounds error_msg, in bytes. A request of 100 hosts with every
// field wrong names nearly all of them within it.
const maxErrorMsg = 64 << 10

// errorOf is the one place that decides which error gets which answer. The
// text of an unexpected error is for the log, not for the user.
func errorOf(err error) *Error {
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
