package main

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
	exitOK          = 0 // all succeeded
	exitHosts       = 1 // some host did not succeed
	exitUsage       = 2 // bad usage or bad input
	exitLimit       = 3 // stopped by --max-failures
	exitInterrupted = 4 // interrupted; can be resumed
	exitInternal    = 5 // storage or internal
)

// exitError is an error that knows its exit code, and perhaps a hint.
type exitError struct {
	code int
	err  error // nil: everything has been said already
	hint string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exitWith ends the program with code after everything has been said.
func exitWith(code int) error { return &exitError{code: code} }

// usageError makes err one of usage or input. hint tells what to do; it may be empty.
func usageError(err error, hint string) error {
	return &exitError{code: exitUsage, err: err, hint: hint}
}

func usagef(format string, args ...any) error {
	return usageError(fmt.Errorf(format, args...), "")
}

// codeOf finds the exit code of an error that carries none.
func codeOf(err error) int {
	if _, ok := errors.AsType[installer.Faults](err); ok {
		return exitUsage
	}
	if e, ok := errors.AsType[*api.Error](err); ok && e.Status/100 == 4 {
		return exitUsage
	}
	switch {
	case errors.Is(err, installer.ErrNotFound), errors.Is(err, installer.ErrUnderWay), errors.Is(err, installer.ErrSuperseded):
		return exitUsage
	case errors.Is(err, installer.ErrShutdown), errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitInternal
}

// tell writes the error for a person, every fault on a line of its own.
func tell(w io.Writer, e *exitError) {
	text := strings.TrimRight(plaintext.Text(e.Error()), "\n")
	if e.code == exitInterrupted {
		text = "interrupted"
	}
	if faults, ok := errors.AsType[installer.Faults](e.err); ok && len(faults) > 1 {
		text = fmt.Sprintf("%d faults in the input; nothing was done:\n%s", len(faults), text)
	}
	fmt.Fprintf(w, "tripod: %s\n", text)
	if hint := cmp.Or(e.hint, hintOf(e.err)); hint != "" {
		fmt.Fprintf(w, "hint: %s\n", hint)
	}
}

// hintOf tells what to do about an error that carries no hint.
func hintOf(err error) string {
	if errors.Is(err, installer.ErrStorage) && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) {
		return "make room where the state folder is (--state-dir), then give the command again"
	}
	return ""
}

// inputOrStorage tells a refusal of the input from a failure of the storage.
func inputOrStorage(err error) error {
	if err == nil || errors.Is(err, installer.ErrStorage) {
		return err
	}
	return usageError(err, "")
}
