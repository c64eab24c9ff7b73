package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plan"
)

// TestSetAndUnsetInstaller: a known host becomes an installer with what is kept for
// it, as it is known and not otherwise, and is none afterwards.
func TestSetAndUnsetInstaller(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	known := installer.Host{ID: "i-1", Name: "jump", Type: installer.ECS, Endpoint: installer.Endpoint{Address: "10.1.0.1", Port: 22, User: "ops"}}
	require.NoError(t, r.addHosts([]installer.HostEntry{
		{Host: known, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("kept")}}}}))
	set := func(change func(*plan.Request)) (control.Planned, error) {
		req := request(0)
		req.Task, req.Known = installer.SetRemoteInstaller, []string{"i-1"}
		change(&req)
		return r.client.Submit(t.Context(), req)
	}
	for want, change := range map[string]func(*plan.Request){
		"i-2: no such instance":                       func(req *plan.Request) { req.Known = append(req.Known, "i-2") },
		"known: this task is about nothing but known": func(req *plan.Request) { req.Hosts = request(1).Hosts },
		"spec: is not what":                           func(req *plan.Request) { req.Spec.CheckOnly = true },
	} {
		_, err := set(change)
		require.ErrorAs(t, err, new(installer.Faults), want)
		require.ErrorContains(t, err, want)
	}
	for want, change := range map[string]func(*installer.Host){
		"through: does not go together": func(h *installer.Host) { h.RouteChoice = &installer.RouteChoice{} },
		"through.named[0]: must be 1–64": func(h *installer.Host) {
			h.Via, h.RouteChoice = nil, &installer.RouteChoice{Named: []installer.NamedJumpHost{{ID: "a b"}}}
		},
		"through: names more than 100 jump": func(h *installer.Host) {
			h.Via, h.RouteChoice = nil, &installer.RouteChoice{Named: make([]installer.NamedJumpHost, 101)}
		},
	} {
		req := request(1)
		change(&req.Hosts[0].Host)
		_, err := r.client.Submit(t.Context(), req)
		require.ErrorContains(t, err, want)
	}
	s := r.stored(set(func(*plan.Request) {}))
	r.work(s.ID, 0, func(installer.Event) {})
	routes, err := r.store.Routes(t.Context(), project, installer.RouteChoice{})
	require.NoError(t, err)
	require.Len(t, routes, 1)
	require.Equal(t, "kept", routes[0].Logins[0].Password.Reveal())

	// It is not to be done twice, nor by another project.
	unset := func(c *control.Client, ids ...string) error {
		_, err := control.UnsetJumpHosts.Call(t.Context(), c, control.IDs{IDs: ids})
		return err
	}
	require.ErrorIs(t, unset(r.client, "i-1", "i-2"), installer.ErrNotFound)
	require.ErrorIs(t, unset(r.connect(r.addToken("p-two")), "i-1"), installer.ErrNotFound)
	require.NoError(t, unset(r.client, "i-1"))
	require.ErrorIs(t, unset(r.client, "i-1"), installer.ErrNotFound)
	require.NoError(t, r.store.Purge(t.Context(), time.Now()))
	routes, err = r.store.Routes(t.Context(), project, installer.RouteChoice{})
	require.NoError(t, err)
	require.Empty(t, routes)
}
