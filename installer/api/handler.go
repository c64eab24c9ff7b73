package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"tripod/installer"
	"tripod/installer/signing"
)

const headerRequestID = "X-Request-Id"

// call is one request on its way through a handler.
type call struct {
	*http.Request
	id      string // X-Request-Id of the answer
	who     installer.Principal
	project string         // who's
	body    []byte         // of a POST: within the limits, not parsed yet
	read    bool           // the body was read, to verify the signature
	claim   *signing.Claim // of a signed request
	loan    *loan          // of the budget, for the body; nil: none
}

// caller names who asks, for the log.
func (c *call) caller() string {
	if c.who == (installer.Principal{}) {
		return ""
	}
	return c.who.String()
}

// handler does for every route what must hold for every route.
type handler struct {
	service
	table  []route
	limits *rateLimiter
	bodies *budget

	pace, unverifiedPace pace // of bodies
	// who tells whose a connection is that needs no login. Nil: all need one.
	who func(*http.Request) string
}

func newHandler(s service) http.Handler {
	return &handler{
		service: s, table: s.routes(), limits: newRateLimiter(s.RequestRate), bodies: newBudget(),
		pace: pace{paceGrace, paceRate}, unverifiedPace: pace{unverifiedGrace, paceRate},
	}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := h.Clock()
	c := &call{Request: r, id: h.NewID()}
	w.Header().Set(headerRequestID, c.id)

	rt, answer, err := h.answer(w, c)
	status := rt.success
	if err != nil {
		e := errorOf(err)
		status, answer, err = e.Status, e, e
		switch {
		case h.who != nil:
			told := withCause(e)
			e, status, answer = told.Error, told.Status, told
		case rt.faults && len(e.Faults) > 0:
			answer = faultyAnswer{e, e.Faults}
		}
		if e.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
		}
		if e.allow != "" {
			w.Header().Set("Allow", e.allow)
		}
	}
	var size int64
	if s, ok := answer.(Stream); ok {
		size = h.stream(w, r, status, s)
	} else {
		size = int64(h.write(w, r, status, answer))
	}
	h.log(c, rt, status, size, started, err)
}

// answer finds the route, lets in who may come in, and runs the handler. The
// order matters: nothing of a stranger's request is parsed, or told apart, and no body
// is read for who has not the rights.
func (h *handler) answer(w http.ResponseWriter, c *call) (rt route, answer any, err error) {
	defer func() {
		if v := recover(); v != nil {
			h.Logger.Error("panic in a request", "request_id", c.id, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			answer, err = nil, fmt.Errorf("panic: %v", v)
		}
	}()
	defer func() { c.loan.close() }()
	rt, pathProject, noRoute := find(h.table, c.Request)
	if rt.open && noRoute == nil {
		answer, err = rt.handle(c)
		return rt, answer, err
	}
	if h.who != nil {
		h.vouched(c, pathProject)
	} else if err := h.authenticate(w, c, rt); err != nil {
		return rt, nil, err
	}
	if noRoute != nil {
		return rt, nil, noRoute
	}
	if !rt.anyProject {
		if err := checkProject(pathProject, c.project); err != nil {
			return rt, nil, err
		}
	}
	if err := authorize(c.who, rt); err != nil {
		return rt, nil, err
	}
	if rt.wait > 0 {
		giveTime(w, rt.wait)
	}
	receive := h.receive
	if h.who != nil {
		receive = h.receiveLocal
	}
	if err := receive(w, c, rt); err != nil {
		return rt, nil, err
	}
	answer, err = rt.handle(c)
	return rt, answer, err
}

func checkProject(asked, own string) error {
	switch {
	case asked == "":
		return refuse(http.StatusBadRequest, CodeProjectInvalid, "project_id is missing in the path")
	case !installer.ProjectForm.MatchString(asked):
		return refuse(http.StatusBadRequest, CodeProjectInvalid, "project_id in the path: 1–64 letters, digits, '_' and '-'")
	case asked != own:
		return refuse(http.StatusForbidden, CodeForbidden, "this token or key is not for this project")
	}
	return nil
}

// write sends one JSON document and returns its size. An error on the way
// means that the client has gone: there is nobody left to tell.
func (h *handler) write(w http.ResponseWriter, r *http.Request, status int, answer any) int {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answer); err != nil {
		h.Logger.Error("answer cannot be encoded", "error", err)
		status = http.StatusInternalServerError
		b.Reset()
		_ = enc.Encode(refuse(status, CodeInternal, "internal service error"))
	}
	hdr := w.Header()
	hdr.Set("Content-Type", "application/json; charset=UTF-8")
	hdr.Set("Content-Length", strconv.Itoa(b.Len()))
	hdr.Set("Cache-Control", "no-store")
	hdr.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes())
	}
	return b.Len()
}

// log writes one line per request. It names the route, not the path and the
// query, which are the client's text; no header and no body is ever in it.
func (h *handler) log(c *call, rt route, status int, size int64, started time.Time, err error) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("request_id", c.id),
		slog.String("method", clip(c.Method, 16)),
		slog.String("route", rt.pattern),
		slog.Int("status", status),
		slog.Int64("bytes", size),
		slog.Duration("duration", h.Clock().Sub(started)),
		slog.String("project", c.project),
		slog.String("by", c.caller()),
		slog.String("remote", c.RemoteAddr),
	}
	if e, ok := err.(*Error); ok {
		attrs = append(attrs, slog.String("code", string(e.Code)))
		if e.cause != nil {
			attrs = append(attrs, slog.Any("error", e.cause))
		}
	}
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case rt.open:
		level = slog.LevelDebug
	}
	h.Logger.LogAttrs(context.WithoutCancel(c.Context()), level, "request", attrs...)
}
