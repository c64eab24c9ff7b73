package api

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/signing"
)

// Route is one row of the table of routes; other packages may add some. What holds
// for every route is done by the handler of the table.
type Route struct {
	Method string // GET, POST, PUT or DELETE
	// Pattern is a path; "{name}" stands for one segment, unchecked, for PathValue. With
	// "{project_id}" only the caller's own project is let in.
	Pattern string
	MaxBody int64 // of the body, in bytes. 0: 2 MiB
	// Wait is how long the request may take to arrive, and again to be answered.
	// 0: as the server has it for all.
	Wait   time.Duration
	Rights installer.Rights // that are needed; none where the route is open
	// Handle returns what is encoded as JSON, or a Stream.
	Handle func(*Request) (any, error)

	open   bool // no login is needed
	public bool // of the public API: faults are in error_msg only
	status int  // of a good answer. 0: 200
}

// Request is a request that was let in.
type Request struct {
	*http.Request
	Principal installer.Principal
	Body      []byte // of a POST or PUT

	id    string         // X-Request-Id of the answer
	read  bool           // the body was read, to verify the signature
	claim *signing.Claim // of a signed request
	holds
}

func (h *handler) routes() []Route {
	return append([]Route{
		{Method: http.MethodGet, Pattern: "/healthz", open: true, public: true, Handle: h.health},
		{Method: http.MethodPost, Pattern: "/v3/{project_id}/agent-invocations/batch-create", Rights: installer.FullRights, public: true, status: http.StatusCreated, Handle: h.createInvocations},
		{Method: http.MethodGet, Pattern: "/v3/{project_id}/agent-invocations", Rights: installer.ReadRights, public: true, Handle: h.listInvocations},
		{Method: http.MethodPost, Pattern: "/v3/{project_id}/agent-status/batch-query", Rights: installer.ReadRights, public: true, Handle: h.agentStatus},
	}, h.Routes...)
}

func (rt Route) success() int { return cmp.Or(rt.status, http.StatusOK) }

func (rt Route) maxBody() int64 { return cmp.Or(rt.MaxBody, maxBody) }

const projectValue = "project_id"

// match compares segment by segment, and gives r what the "{name}" segments are. Unlike
// http.ServeMux it never cleans a path: "..", "%2e%2e%2f" and "//" stay what they are.
func (rt Route) match(r *http.Request) bool {
	want, got := strings.Split(rt.Pattern, "/"), strings.Split(r.URL.EscapedPath(), "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	for i := range want {
		if name, isValue := strings.CutPrefix(want[i], "{"); isValue {
			value, _ := url.PathUnescape(got[i])
			r.SetPathValue(strings.TrimSuffix(name, "}"), value)
		}
	}
	return true
}

// find returns the route for the request, or the error for one that has none.
func find(table []Route, r *http.Request) (Route, error) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	var allowed []string
	for _, rt := range table {
		switch {
		case !rt.match(r):
		case rt.Method == method:
			return rt, nil
		default:
			allowed = append(allowed, rt.Method)
		}
	}
	if len(allowed) > 0 {
		e := Refuse(http.StatusMethodNotAllowed, CodeInvalidRequest, "%s is not allowed here", Clip(r.Method, 16))
		e.allow = strings.Join(allowed, ", ")
		return Route{}, e
	}
	return Route{}, Refuse(http.StatusNotFound, CodeNotFound, "no such resource: this version serves agent-invocations, agent-invocations/batch-create and agent-status/batch-query under /v3/{project_id}/")
}
