package api

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"tripod/installer"
)

// route is one row of the table of routes.
type route struct {
	method  string
	pattern string // "{project_id}" stands for one segment
	// open routes need no token. The zero value does: deny by default.
	open    bool
	rights  installer.Rights // that the caller needs; the zero value: full
	success int              // HTTP status of a good answer
	handle  func(*call) (any, error)

	limit  int64 // of the body, in bytes; 0: maxBody
	binary bool  // the body is no JSON
	// anyProject routes have no project in their path: it is the caller's own.
	anyProject bool
	// faults are told one by one too, beside error_msg.
	faults bool
	// wait is for requests that take longer than others: to arrive, and to be
	// answered. 0: as for all.
	wait time.Duration
}

const projectSegment = "{project_id}"

func (s service) routes() []route {
	own := []route{
		{method: http.MethodGet, pattern: "/healthz", open: true, success: http.StatusOK, handle: s.health},
		{method: http.MethodPost, pattern: "/v3/{project_id}/agent-invocations/batch-create", success: http.StatusCreated, handle: s.createInvocations},
		{method: http.MethodGet, pattern: "/v3/{project_id}/agent-invocations", rights: installer.ReadRights, success: http.StatusOK, handle: s.listInvocations},
		{method: http.MethodPost, pattern: "/v3/{project_id}/agent-status/batch-query", rights: installer.ReadRights, success: http.StatusOK, handle: s.agentStatus},
	}
	for _, r := range s.Routes {
		own = append(own, r.route())
	}
	return own
}

// match compares an escaped path with the pattern, segment by segment, and
// returns what stands in the places of the "{name}" segments. Unlike
// http.ServeMux it never cleans a path: "..", "%2e%2e%2f" and doubled slashes
// stay what they are, and fit nothing else.
func (r route) match(escapedPath string) (values map[string]string, ok bool) {
	want, got := strings.Split(r.pattern, "/"), strings.Split(escapedPath, "/")
	if len(want) != len(got) {
		return nil, false
	}
	values = map[string]string{}
	for i := range want {
		if strings.HasPrefix(want[i], "{") {
			values[want[i]], _ = url.PathUnescape(got[i])
			continue
		}
		if want[i] != got[i] {
			return nil, false
		}
	}
	return values, true
}

// find returns the route for the request and its project, or the error for a
// request that has none. Other values of the path are then PathValues of r.
func find(routes []route, r *http.Request) (route, string, *Error) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	var allowed []string
	for _, rt := range routes {
		values, ok := rt.match(r.URL.EscapedPath())
		if !ok {
			continue
		}
		if rt.method == method {
			for name, value := range values {
				r.SetPathValue(strings.Trim(name, "{}"), value)
			}
			return rt, values[projectSegment], nil
		}
		allowed = append(allowed, rt.method)
	}
	if len(allowed) > 0 {
		e := refuse(http.StatusMethodNotAllowed, CodeInvalidRequest, "%s is not allowed here", clip(r.Method, 16))
		e.allow = strings.Join(allowed, ", ")
		return route{}, "", e
	}
	return route{}, "", refuse(http.StatusNotFound, CodeNotFound, "no such resource: this version serves agent-invocations, agent-invocations/batch-create and agent-status/batch-query under /v3/{project_id}/")
}
