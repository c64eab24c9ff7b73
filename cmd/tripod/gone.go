package main

import (
	"context"
	"errors"
	"fmt"

	"tripod/installer/control"
)

// This file says what every command says of a process that was there and does not
// answer any more: it was killed, is being restarted, or the line to it is cut.

// handedOver remembers batches that were sent to who does the work: what a daemon
// has acknowledged goes on there without us.
type handedOver struct {
	sent         string   // being sent: whether it was taken is not known
	acknowledged []string // in the order of the work
}

// gone makes one error of all those that say that nobody answers.
func (a *app) gone(ctx context.Context, err error) error {
	lost, ok := errors.AsType[*control.Unanswered](err)
	if !ok {
		return err
	}
	if told, is := errors.AsType[*exitError](lost.Err); is { // the folder cannot be opened either
		return told
	}
	who, at, hint := "the daemon", " at "+a.server.Server, a.goesOn()
	if a.daemon == nil {
		who, at, hint = "the process that has the state folder", "", "to see what became of it: "+a.again("status", "")
	}
	if ctx.Err() != nil {
		a.notef("interrupted, and %s does not answer; %s", who, hint)
		return exitWith(exitInterrupted)
	}
	return &exitError{code: exitInternal, err: fmt.Errorf("%s%s does not answer any more: %w", who, at, lost.Err), hint: hint}
}

// ifUnanswered is err if it says that the daemon does not answer, else nil.
func ifUnanswered(err error) error {
	if _, ok := errors.AsType[*control.Unanswered](err); ok {
		return err
	}
	return nil
}

// goesOn says what becomes of the work, and how to look at it.
func (a *app) goesOn() string {
	switch n := len(a.handed.acknowledged); {
	case a.handed.sent != "":
		return "whether it took the batch over is not known: " + a.again("status", a.handed.sent)
	case n > 0:
		return "it goes on by itself: " + a.again("status", a.handed.acknowledged[n-1])
	}
	return "what it has acknowledged goes on by itself: " + a.again("status", "")
}
