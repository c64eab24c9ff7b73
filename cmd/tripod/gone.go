package main

import (
	"context"
	"errors"
	"fmt"

	"tripod/installer/control"
)

// This file says what every command says of a daemon that was there and does not
// answer any more: it was killed, is being restarted, or the line to it is cut.

// handedOver remembers batches that were sent to a daemon: what it has
// acknowledged goes on there without us.
type handedOver struct {
	sent         string   // being sent: whether it was taken is not known
	acknowledged []string // in the order of the work
}

// gone makes one error of all those that say that the daemon does not answer.
func (a *app) gone(ctx context.Context, err error) error {
	lost, ok := errors.AsType[*control.Unanswered](err)
	if a.daemon == nil || !ok {
		return err
	}
	if ctx.Err() != nil {
		a.notef("interrupted, and the daemon does not answer; %s", a.goesOn())
		return exitWith(exitInterrupted)
	}
	return &exitError{
		code: exitInternal,
		err:  fmt.Errorf("the daemon at %s does not answer any more: %w", a.server.Server, lost.Err),
		hint: a.goesOn(),
	}
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
