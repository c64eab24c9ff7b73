package installer

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestSameRoute: what changes the place that a login would be sent to is another
// way; what only describes the host is not.
func TestSameRoute(t *testing.T) {
	t.Parallel()
	of := func() Host {
		return Host{
			ID: "i-1", Name: "web", Endpoint: Endpoint{Address: "10.0.0.1", Port: 22, User: "root", HostKey: "SHA256:a"},
			Via: []Endpoint{{Address: "10.9.0.1", Port: 22, User: "ops", HostKey: "SHA256:b"}, {Address: "10.9.0.2", Port: 22, User: "ops"}},
		}
	}
	for _, row := range []struct {
		what    string
		change  func(*Host)
		route   bool
		machine bool
	}{
		{"nothing", func(*Host) {}, true, true},
		{"id", func(h *Host) { h.ID = "i-2" }, true, true},
		{"name", func(h *Host) { h.Name = "db" }, true, true},
		{"labels", func(h *Host) { h.Labels = map[string]string{"env": "x"} }, true, true},
		{"become", func(h *Host) { h.Become = BecomeNever }, true, true},
		{"address", func(h *Host) { h.Address = "10.0.0.2" }, false, false},
		{"a name for the address", func(h *Host) { h.Address = "web.example" }, false, false},
		{"port", func(h *Host) { h.Port = 2222 }, false, false},
		{"user", func(h *Host) { h.User = "admin" }, false, true},
		{"pin", func(h *Host) { h.HostKey = "SHA256:x" }, false, true},
		{"pin gone", func(h *Host) { h.HostKey = "" }, false, true},
		{"no hop", func(h *Host) { h.Via = nil }, false, false},
		{"a hop less", func(h *Host) { h.Via = h.Via[:1] }, false, false},
		{"hops swapped", func(h *Host) { h.Via[0], h.Via[1] = h.Via[1], h.Via[0] }, false, false},
		{"hop's address", func(h *Host) { h.Via[1].Address = "10.9.0.3" }, false, false},
		{"hop's port", func(h *Host) { h.Via[0].Port = 23 }, false, false},
		{"hop's user", func(h *Host) { h.Via[0].User = "root" }, false, true},
		{"hop's pin", func(h *Host) { h.Via[0].HostKey = "SHA256:x" }, false, true},
		{"hop's pin new", func(h *Host) { h.Via[1].HostKey = "SHA256:x" }, false, true},
	} {
		a, b := of(), of()
		row.change(&b)
		assert.Equal(t, row.route, a.SameRoute(b), row.what)
		assert.Equal(t, row.route, b.SameRoute(a), row.what)
		assert.Equal(t, row.machine, a.SameMachine(b), row.what)
	}
	assert.True(t, Host{}.SameRoute(Host{Via: []Endpoint{}}))
}

func TestTakePins(t *testing.T) {
	t.Parallel()
	hop := Endpoint{Address: "10.9.0.1", Port: 22, User: "ops"}
	pinned := hop
	pinned.HostKey = "SHA256:b"
	known := Host{Endpoint: Endpoint{Address: "10.0.0.1", Port: 22, User: "root", HostKey: "SHA256:a"}, Via: []Endpoint{pinned}}
	shared := []Endpoint{hop}
	h := Host{Endpoint: Endpoint{Address: "10.0.0.1", Port: 22, User: "root"}, Via: shared}
	h.TakePins(known)
	assert.True(t, h.SameRoute(known))
	assert.Empty(t, shared[0].HostKey, "another host's way")

	h.HostKey = "SHA256:own"
	h.TakePins(known)
	assert.Equal(t, "SHA256:own", h.HostKey)
	elsewhere := Host{Endpoint: Endpoint{Address: "10.0.0.2", Port: 22, User: "root"}, Via: shared}
	elsewhere.TakePins(known)
	assert.Empty(t, elsewhere.HostKey)
}
