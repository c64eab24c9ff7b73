// Package exit has the exit codes of the command line and the errors that know theirs.
package exit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/plaintext"
)

// The exit codes; part of the command line's contract.
const (
	OK          = 0 // all succeeded
	Hosts       = 1 // some host did not succeed
	Usage       = 2 // bad usage or bad input
	Limit       = 3 // stopped by --max-failures
	Interrupted = 4 // interrupted; can be resumed
	Internal    = 5 // storage or internal
)

// Error is an error that knows its exit code, and perhaps a hint.
type Error struct {
	Code int
	Err  error // nil: everything has been said already
	Hint string
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// With ends the program with code after everything has been said.
func With(code int) error { return &Error{Code: code} }

// UsageError makes err one of usage or input. The hint tells what to do; it may be empty.
func UsageError(err error, hint string) error { return &Error{Code: Usage, Err: err, Hint: hint} }

func Usagef(format string, args ...any) error { return UsageError(fmt.Errorf(format, args...), "") }

// Report writes err, which may be nil, to w and returns its exit code.
func Report(w io.Writer, err error) int {
	if err == nil {
		return OK
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Code: defaultCode(err), Err: err}
	}
	if e.Err != nil {
		e.print(w)
	}
	return e.Code
}

func defaultCode(err error) int {
	if _, ok := errors.AsType[installer.Faults](err); ok {
		return Usage
	}
	if e, ok := errors.AsType[*api.Error](err); ok && e.Status/100 == 4 {
		return Usage
	}
	switch {
	case errors.Is(err, installer.ErrNotFound), errors.Is(err, installer.ErrExists), errors.Is(err, installer.ErrInUse),
		errors.Is(err, installer.ErrUnderWay), errors.Is(err, installer.ErrSuperseded):
		return Usage
	case errors.Is(err, installer.ErrShutdown), errors.Is(err, context.Canceled):
		return Interrupted
	}
	return Internal
}

func (e *Error) print(w io.Writer) {
	text := strings.TrimRight(plaintext.Text(e.Error()), "\n")
	if e.Code == Interrupted {
		text = "interrupted"
	}
	if faults, ok := errors.AsType[installer.Faults](e.Err); ok && len(faults) > 1 {
		text = fmt.Sprintf("%d errors in the input; nothing was done:\n%s", len(faults), text)
	}
	fmt.Fprintf(w, "tripod: %s\n", text)
	if hint := cmp.Or(e.Hint, defaultHint(e.Err)); hint != "" {
		fmt.Fprintf(w, "hint: %s\n", hint)
	}
}

func defaultHint(err error) string {
	if errors.Is(err, installer.ErrStorage) && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) {
		return "free space on the file system of the state folder (--state-dir), then repeat the command"
	}
	return ""
}
