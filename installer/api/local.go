package api

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"syscall"

	"tripod/installer"
	"tripod/installer/plan"
)

// largestLocal bounds a body from this machine, in bytes: a batch of the largest
// hosts file with a key for each host.
const largestLocal = 1 << 30

// NewLocal returns a handler of the routes for connections of this machine's user, whose name who
// tells, and who has all rights in the project of the path. Errors are returned as they are; log
// gets what goes wrong outside of a request.
func NewLocal(routes []Route, who func(*http.Request) string, log *slog.Logger) http.Handler {
	h := &handler{localUser: who}
	h.Planner, h.Logger = plan.NewPlanner(plan.Planner{}), log
	for _, rt := range routes {
		rt.MaxBody, rt.Wait = largestLocal, 0
		h.table = append(h.table, rt)
	}
	return h
}

// vouch takes the system's word for who asks.
func (h *handler) vouch(_ http.ResponseWriter, c *Request, _ Route) error {
	c.letIn(installer.Principal{Project: c.PathValue(projectValue), Kind: installer.UserPrincipal, Name: h.localUser(c.Request), Rights: installer.FullRights})
	return nil
}

// receiveLocal reads the body, for which no room has to be kept.
func (h *handler) receiveLocal(w http.ResponseWriter, c *Request, rt Route) (err error) {
	if !c.sends() {
		return nil
	}
	if c.Body, err = io.ReadAll(http.MaxBytesReader(w, c.Request.Body, rt.maxBody())); err != nil {
		return unread(w, refusedBody(err, rt.maxBody()))
	}
	return checkContent(c)
}

// errorAnswer is an error with its faults one by one, and for the user of this
// machine with what it comes of.
type errorAnswer struct {
	*Error
	Faults installer.Faults `json:"faults,omitempty"`
	Cause  *Cause           `json:"cause,omitempty"`
}

func (h *handler) errorAnswer(rt Route, e *Error) errorAnswer {
	a := errorAnswer{Error: e}
	if !rt.public {
		a.Faults = e.Faults
	}
	if h.localUser == nil || e.cause == nil || e.Status < http.StatusInternalServerError {
		return a
	}
	a.Cause = &Cause{Text: e.cause.Error()}
	a.Cause.Errno, _ = errors.AsType[syscall.Errno](e.cause)
	if e.Code == CodeStorage { // it will not be better soon: nobody is to ask again by himself
		final := *e
		final.Status, final.RetryAfter = http.StatusInternalServerError, 0
		a.Error = &final
	}
	return a
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
