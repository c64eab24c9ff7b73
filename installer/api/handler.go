package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/api/limits"
)

const headerRequestID = "X-Request-Id"

// Stream is an answer of bytes. It is closed after it was sent.
type Stream struct{ io.ReadCloser }

type handler struct {
	Config
	table  []Route
	rates  limits.Rates
	budget *limits.Budget // nil: nothing is counted

	pace, unverifiedPace limits.Pace
	// localUser names the user of a connection that needs no login. Nil: all need one.
	localUser func(*http.Request) string
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	c := &Request{Request: r, id: h.NewID()}
	w.Header().Set(headerRequestID, c.id)
	defer c.giveBack()
	if !h.enter(c) {
		panic(http.ErrAbortHandler) // its connection is closed
	}

	rt, answer, err := h.answer(w, c)
	status := rt.success()
	if err != nil {
		told := h.errorAnswer(rt, errorOf(err))
		status, answer, err = told.Status, told, told.Error
		if told.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(told.RetryAfter.Seconds()))))
		}
		if told.allow != "" {
			w.Header().Set("Allow", told.allow)
		}
	}
	var size int64
	if s, ok := answer.(Stream); ok {
		size = h.stream(w, r, status, s)
	} else {
		size = int64(h.write(w, c, status, answer))
	}
	h.log(c, rt, status, size, started, err)
}

// answer lets in who may come in, and runs the handler. Nothing of a stranger's request
// is parsed, or told apart, and no body is read for who has not the rights.
func (h *handler) answer(w http.ResponseWriter, c *Request) (rt Route, answer any, err error) {
	defer func() {
		if v := recover(); v != nil {
			h.Logger.Error("panic in a request", "request_id", c.id, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			answer, err = nil, fmt.Errorf("panic: %v", v)
		}
	}()
	rt, noRoute := find(h.table, c.Request)
	if rt.open {
		answer, err = rt.Handle(c)
		return rt, answer, err
	}
	authenticate, receive := h.authenticate, h.receive
	if h.localUser != nil {
		authenticate, receive = h.vouch, h.receiveLocal
	}
	if err := authenticate(w, c, rt); err != nil {
		return rt, nil, err
	}
	if noRoute != nil {
		return rt, nil, noRoute
	}
	if err := authorize(c, rt); err != nil {
		return rt, nil, err
	}
	if rt.Wait > 0 { // longer than the server's limits; one that cannot (in tests) has none
		rc, until := http.NewResponseController(w), time.Now().Add(rt.Wait)
		_, _ = rc.SetReadDeadline(until), rc.SetWriteDeadline(until.Add(rt.Wait))
	}
	if err := receive(w, c, rt); err != nil {
		return rt, nil, err
	}
	answer, err = rt.Handle(c)
	return rt, answer, err
}

// authorize holds the caller to its own project and its rights.
func authorize(c *Request, rt Route) error {
	if strings.Contains(rt.Pattern, "{"+projectValue+"}") {
		switch asked := c.PathValue(projectValue); {
		case asked == "":
			return Refuse(http.StatusBadRequest, CodeProjectInvalid, "project_id is missing in the path")
		case !installer.ProjectForm.MatchString(asked):
			return Refuse(http.StatusBadRequest, CodeProjectInvalid, "project_id in the path: 1–64 letters, digits, '_' and '-'")
		case asked != c.Principal.Project:
			return Refuse(http.StatusForbidden, CodeForbidden, "this token or key is not for this project")
		}
	}
	if !c.Principal.Rights.Allow(rt.Rights) {
		return Refuse(http.StatusForbidden, CodeForbidden, "not enough rights: this %s may only look", c.Principal.Kind)
	}
	return nil
}

func headers(w http.ResponseWriter, status int, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
}

// write sends one JSON document and returns its size. An error on the way
// means that the client has disconnected: there is nobody left to tell.
func (h *handler) write(w http.ResponseWriter, c *Request, status int, answer any) int {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answer); err != nil {
		h.Logger.Error("answer cannot be encoded", "error", err)
		status = http.StatusInternalServerError
		b.Reset()
		_ = enc.Encode(Refuse(status, CodeInternal, "internal service error"))
	}
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	headers(w, status, "application/json; charset=UTF-8")
	size := b.Len()
	c.answers(size)
	if c.Method == http.MethodHead {
		b.Reset()
	}
	h.send(w, c, b.Bytes())
	return size
}

// stream sends bytes as they come. Where they end too early the connection is
// cut, so that the client does not take them for all.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, status int, s Stream) int64 {
	defer func() { _ = s.Close() }()
	headers(w, status, "application/octet-stream")
	if r.Method == http.MethodHead {
		return 0
	}
	n, err := io.Copy(w, s.ReadCloser) // which may write, and flush, by itself
	if err != nil {
		h.Logger.Warn("answer cut off", "bytes", n, "error", err)
		panic(http.ErrAbortHandler)
	}
	_ = http.NewResponseController(w).Flush()
	return n
}

// log writes one line per request. It names the route, not the path and the
// query, which are the client's text; no header and no body is ever in it.
func (h *handler) log(c *Request, rt Route, status int, size int64, started time.Time, err error) {
	if h.localUser != nil { // a user of this machine gets all of it
		return
	}
	by := ""
	if c.Principal != (installer.Principal{}) {
		by = c.Principal.String()
	}
	attrs := []slog.Attr{
		slog.String("request_id", c.id),
		slog.String("method", Clip(c.Method, 16)),
		slog.String("route", rt.Pattern),
		slog.Int("status", status),
		slog.Int64("bytes", size),
		slog.Duration("duration", time.Since(started)),
		slog.String("project", c.Principal.Project),
		slog.String("by", by),
		slog.String("remote", c.RemoteAddr),
	}
	if e, ok := errors.AsType[*Error](err); ok {
		attrs = append(attrs, slog.String("code", string(e.Code)))
		if e.cause != nil {
			attrs = append(attrs, slog.Any("error", e.cause))
		}
	}
	level := slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case rt.open:
		level = slog.LevelDebug
	}
	h.Logger.LogAttrs(context.WithoutCancel(c.Context()), level, "request", attrs...)
}
