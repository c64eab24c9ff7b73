package api

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// route is one row of the table of routes.
type route struct {
	method  string
	pattern string // "{project_id}" stands for one segment
	// open routes need no token. The zero value does: deny by default.
	open    bool
	success int // HTTP status of a good answer
	handle  func(*call) (any, error)
}

const projectSegment = "{project_id}"

// projectID is the API's own pattern; nothing else gets near a store or a path.
var projectID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (s service) routes() []route {
	return []route{
		{method: http.MethodGet, pattern: "/healthz", open: true, success: http.StatusOK, handle: s.health},
		{method: http.MethodPost, pattern: "/v3/{project_id}/agent-invocations/batch-create", success: http.StatusCreated, handle: s.createInvocations},
		{method: http.MethodGet, pattern: "/v3/{project_id}/agent-invocations", success: http.StatusOK, handle: s.listInvocations},
	}
}

// match compares an escaped path with the pattern, segment by segment, and
// returns the project. Unlike http.ServeMux it never cleans a path: "..",
// "%2e%2e%2f" and doubled slashes stay what they are, and fit nothing.
func (r route) match(escapedPath string) (project string, ok bool) {
	want, got := strings.Split(r.pattern, "/"), strings.Split(escapedPath, "/")
	if len(want) != len(got) {
		return "", false
	}
	for i := range want {
		if want[i] == projectSegment {
			project, _ = url.PathUnescape(got[i])
			continue
		}
		if want[i] != got[i] {
			return "", false
		}
	}
	return project, true
}

// find returns the route for the request and its project, or the error for a
// request that has none.
func find(routes []route, r *http.Request) (route, string, *Error) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	var allowed []string
	for _, rt := range routes {
		project, ok := rt.match(r.URL.EscapedPath())
		if !ok {
			continue
		}
		if rt.method == method {
			return rt, project, nil
		}
		allowed = append(allowed, rt.method)
	}
	if len(allowed) > 0 {
		e := refuse(http.StatusMethodNotAllowed, CodeInvalidRequest, "%s is not allowed here", clip(r.Method, 16))
		e.allow = strings.Join(allowed, ", ")
		return route{}, "", e
	}
	return route{}, "", refuse(http.StatusNotFound, CodeNotFound, "no such resource: this version serves agent-invocations and agent-invocations/batch-create under /v3/{project_id}/")
}
