package installer

import (
	"context"
	"io"
	"time"
)

// Job is one attempt, as handed to a worker.
type Job struct {
	Invocation  *Invocation // a copy; Attempt() has the journal so far
	Credentials Credentials
	// Output is the invocation's log, scrubbed of the job's secrets and capped. It may be
	// a Rewinder.
	Output io.Writer
	Begin  func(Step) // announces a step to watchers; it is not stored
	// Note keeps a finished step that the host can be asked about again: it is stored
	// with the next Journal, or with the result.
	Note func(StepRecord)
	// Journal stores a finished step and what was noted before it; when it
	// returns nil they are on disk.
	Journal func(context.Context, StepRecord) error
}

// Rewinder is a log that can go back: output that is read again from its
// beginning takes the place of what a process that died had read of it.
type Rewinder interface {
	// Position is where the next byte goes.
	Position() (int64, error)
	// Rewind drops what comes after an earlier Position.
	Rewind(position int64) error
}

// Event is what watchers of an engine see: an invocation is claimed, a step of it
// begins, or an attempt ends.
type Event struct {
	At           time.Time `json:"at"`
	Project      string    `json:"-"`
	Batch        string    `json:"-"`
	InvocationID string    `json:"invocation_id"`
	Host         Host      `json:"host"`           // id, name, address and port
	Step         Step      `json:"step,omitempty"` // the step that begins
	// End is of an attempt; nil: it goes on.
	End *AttemptEnd `json:"end,omitempty"`
}

// AttemptEnd is what is told of the Transition that ends an attempt.
type AttemptEnd struct {
	State      State     `json:"state"`
	EndAttempt bool      `json:"end_attempt"`
	NotBefore  time.Time `json:"not_before,omitzero"`
	Kind       Kind      `json:"kind,omitempty"`
	Message    string    `json:"message,omitempty"`
	Skipped    bool      `json:"skipped,omitempty"`
}

// EventOf is an event of the invocation at that time.
func EventOf(inv *Invocation, at time.Time) Event {
	h := inv.Host
	return Event{
		At: at, Project: inv.ProjectID, Batch: inv.BatchID, InvocationID: inv.ID,
		Host: Host{ID: h.ID, Name: h.Name, Endpoint: Endpoint{Address: h.Address, Port: h.Port}},
	}
}

// Command is one command on a host.
type Command struct {
	// Line is given to the login shell, whichever that is. No secret in it: other users
	// of the host can read it.
	Line           string
	Stdin          io.Reader // may carry secrets; nil: empty
	Stdout, Stderr io.Writer // nil: dropped
	// PTY asks for a terminal, with echo and output processing off; stderr then arrives
	// with stdout.
	PTY bool
}
