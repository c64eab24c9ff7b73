package api

import (
	"log/slog"
	"net/http"
	"time"

	"tripod/installer"
)

// DecodeCreate is decodeCreate, for the tests of the whole package.
func DecodeCreate(body []byte) error {
	_, err := decodeCreate(body)
	return err
}

// DecodeStatus is decodeStatus.
func DecodeStatus(body []byte) error {
	_, err := decodeStatus(body)
	return err
}

// RouteOf is what a test sees of a route.
type RouteOf struct {
	Method, Pattern string
	Open            bool
	Success         int
	// Reads: read rights are enough.
	Reads bool
}

// Routes is the table that h serves.
func Routes(h http.Handler) (all []RouteOf) {
	for _, r := range h.(*handler).table {
		all = append(all, RouteOf{r.method, r.pattern, r.open, r.success, r.rights == installer.ReadRights})
	}
	return all
}

// Parameters are the names of the list's query parameters.
func Parameters() (names []string) {
	for _, p := range parameters {
		names = append(names, p.name)
	}
	return names
}

// WireRequest and WireHost are the request's two kinds of objects.
var (
	WireRequest = wireRequest{}
	WireHost    = wireHost{}
)

// UniagentOf is uniagentOf.
var UniagentOf = uniagentOf

// MaxBody is maxBody.
const MaxBody = maxBody

// BuiltServer is the server that Serve runs with c, and the limits of its connections.
func BuiltServer(c ServerConfig) (srv *http.Server, login time.Duration, conns int) {
	c = c.withDefaults()
	c.Logger = slog.Default()
	return c.server(nil), c.LoginTimeout, c.MaxConns
}

// Enums are the words of the API, by what the documentation calls them.
var Enums = map[string][]string{
	"Type": plain(types), "Target": targets, "InstanceType": plain(instanceTypes), "Status": plain(states),
	"UniagentStatus": plain(uniagentStates), "ExtensionStatus": plain(agentStates),
}

func plain[T ~string](words []T) (all []string) {
	for _, w := range words {
		all = append(all, string(w))
	}
	return all
}

// BodiesWait sets how long a request waits for its part of the budget.
func BodiesWait(h http.Handler, d time.Duration) { h.(*handler).bodies.wait = d }

// BodiesHeld reports whether any body has a part of the budget.
func BodiesHeld(h http.Handler) bool {
	b := h.(*handler).bodies
	for _, q := range []*quota{b.unverified, b.small, b.large} {
		q.mu.Lock()
		defer q.mu.Unlock()
		if len(q.owners) > 0 {
			return true
		}
	}
	return false
}
