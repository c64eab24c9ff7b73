package api

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"

	"tripod/installer"
)

// LocalConfig is what NewLocal needs. Routes and Who are required.
type LocalConfig struct {
	Routes []Route
	// Who tells the name of the user whose connection it is.
	Who func(*http.Request) string
	// Logger gets a line per request. Nil: slog.Default().
	Logger *slog.Logger
}

// largestLocal bounds a body from this machine, in bytes: a batch of the largest
// hosts file with a key for each host.
const largestLocal = 1 << 30

// NewLocal returns a handler of the routes for a connection that needs no login: the
// system has said whose it is. The path says on which project the user works, with
// all rights; errors are told as they are. What keeps strangers from using up the
// process is left out.
func NewLocal(c LocalConfig) http.Handler {
	h := &handler{
		service: service{Config: Config{
			Clock: time.Now, NewID: func() string { return ulid.Make().String() }, Logger: cmp.Or(c.Logger, slog.Default()),
		}},
		who: c.Who,
	}
	for _, r := range c.Routes {
		rt := r.route()
		rt.limit, rt.wait = largestLocal, 0
		h.table = append(h.table, rt)
	}
	return h
}

// vouched takes the system's word for who asks.
func (h *handler) vouched(c *call, project string) {
	c.project = project
	c.who = installer.Principal{Project: project, Kind: installer.UserPrincipal, Name: h.who(c.Request), Rights: installer.FullRights}
	c.Request = c.WithContext(installer.WithActor(c.Context(), c.who.String()))
}

// receiveLocal reads the body, for which no room has to be kept.
func (h *handler) receiveLocal(w http.ResponseWriter, c *call, rt route) error {
	if c.Method != http.MethodPost && c.Method != http.MethodPut {
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, c.Body, rt.bodyLimit()))
	if err != nil {
		return unread(w, refusedBody(err, rt.bodyLimit()))
	}
	c.body = body
	return checkContent(c, rt)
}

// causeAnswer is an error with what it comes of, for the user of this machine.
type causeAnswer struct {
	*Error
	Faults installer.Faults `json:"faults,omitempty"`
	Cause  *Cause           `json:"cause,omitempty"`
}

// Cause is what an error of this machine comes of.
type Cause struct {
	Text string `json:"text"`
	// Errno is the system's number of it, 0: none.
	Errno syscall.Errno `json:"errno,omitempty"`
}

func (c *Cause) Error() string { return c.Text }

// Unwrap makes it the system's error.
func (c *Cause) Unwrap() error {
	if c.Errno == 0 {
		return nil
	}
	return c.Errno
}

// Cause is what the error comes of, where the process on this machine has told it.
func (e *Error) Cause() error {
	if c, told := errors.AsType[*Cause](e.cause); told {
		return c
	}
	return nil
}

// withCause is e for the user of this machine. The storage will not be better soon:
// nobody is to ask again by himself.
func withCause(e *Error) causeAnswer {
	a := causeAnswer{Error: e, Faults: e.Faults}
	if e.cause == nil || e.Status < http.StatusInternalServerError {
		return a
	}
	a.Cause = &Cause{Text: e.cause.Error()}
	a.Cause.Errno, _ = errors.AsType[syscall.Errno](e.cause)
	if e.Code == CodeStorage {
		again := *e
		again.Status, again.RetryAfter = http.StatusInternalServerError, 0
		a.Error = &again
	}
	return a
}
