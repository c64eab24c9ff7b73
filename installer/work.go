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
	Guard       PasswordGuard    // of the host's login; nil: none
	Output      io.Writer        // the log, scrubbed and bounded; may be a Rewinder
	Begin       func(Step)       // announces a step to watchers; it is not stored
	Note        func(StepRecord) // keeps a finished step for the next Journal or the result
	// Journal stores a finished step and what was noted before it: on disk when it returns nil.
	Journal func(context.Context, StepRecord) error
}

// Log is an invocation's log, open for appending. Close puts it on disk.
type Log interface {
	io.WriteCloser
	Rewinder
}

// Rewinder is a log that can go back: output that is read again from its
// beginning takes the place of what a process that died had read of it.
type Rewinder interface {
	Position() (int64, error)
	// Rewind drops what comes after an earlier Position.
	Rewind(position int64) error
}

// Event: an invocation is claimed, a step of it begins, or an attempt ends.
type Event struct {
	At           time.Time   `json:"at"`
	Project      string      `json:"-"`
	Batch        string      `json:"-"`
	InvocationID string      `json:"invocation_id"`
	Host         Host        `json:"host"`           // id, name, address and port
	Step         Step        `json:"step,omitempty"` // the step that begins
	End          *AttemptEnd `json:"end,omitempty"`  // of an attempt; nil: it goes on
}

// AttemptEnd describes the Transition that ends an attempt.
type AttemptEnd struct {
	State      State     `json:"state"`
	EndAttempt bool      `json:"end_attempt"`
	NotBefore  time.Time `json:"not_before,omitzero"`
	Kind       Kind      `json:"kind,omitempty"`
	Message    string    `json:"message,omitempty"`
	Skipped    bool      `json:"skipped,omitempty"`
}

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
	Stdin          io.Reader       // may carry secrets; nil: empty
	Stdout, Stderr io.Writer       // nil: dropped
	Kill           <-chan struct{} // closed: the server is asked to kill the command, which many do
	PTY            bool            // a terminal, echo and output processing off; stderr arrives with stdout
}
