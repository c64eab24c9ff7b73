package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/control"
)

// TestSetAndUnsetInstaller: a known host becomes an installer with what is kept for
// it, as it is known and not otherwise, and is none afterwards.
func TestSetAndUnsetInstaller(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	known := installer.Host{ID: "i-1", Name: "jump", Type: installer.ECS, Endpoint: installer.Endpoint{Address: "10.1.0.1", Port: 22, User: "ops"}}
	require.NoError(t, r.client.RegisterHosts(t.Context(), project, []installer.HostEntry{
		{Host: known, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("kept")}}}}))
	set := func(change func(*installer.Invocation)) (control.Submission, error) {
		s := batch(1)
		inv := &s.Items[0].Invocation
		inv.Type, inv.Host = installer.SetRemoteInstaller, known
		s.Items[0].Credentials = installer.Credentials{}
		change(inv)
		s.Inherit = map[string]string{inv.ID: control.KeptForHost}
		return s, r.client.Submit(t.Context(), s)
	}
	for want, change := range map[string]func(*installer.Invocation){
		"no known host":              func(inv *installer.Invocation) { inv.Host.ID = "i-2" },
		"reached in another way":     func(inv *installer.Invocation) { inv.Host.Address = "10.1.0.9" },
		"items[0].host: is known":    func(inv *installer.Invocation) { inv.Host.User = "eve" },
		"items[0].spec: is not what": func(inv *installer.Invocation) { inv.Spec.CheckOnly = true },
		"through: does not go together": func(inv *installer.Invocation) {
			inv.Host.Via, inv.Host.Through = batch(1).Items[0].Invocation.Host.Via, &installer.Through{}
		},
		"through.named[0]: must be 1–64": func(inv *installer.Invocation) {
			inv.Host.Through = &installer.Through{Named: []installer.NamedInstaller{{ID: "a b"}}}
		},
		"through: names more than 100 inst": func(inv *installer.Invocation) {
			inv.Host.Through = &installer.Through{Named: make([]installer.NamedInstaller, 101)}
		},
	} {
		_, err := set(change)
		require.ErrorAs(t, err, new(installer.Faults), want)
		require.ErrorContains(t, err, want)
	}
	s, err := set(func(*installer.Invocation) {})
	require.NoError(t, err)
	r.work(s.ID, 0, func(installer.Event) {})
	ways, err := r.store.Ways(t.Context(), project, installer.Through{})
	require.NoError(t, err)
	require.Len(t, ways, 1)
	require.Equal(t, "kept", ways[0].Logins[0].Password.Reveal())

	// It is not to be done twice, nor by another project.
	require.ErrorIs(t, r.client.UnsetInstallers(t.Context(), project, []string{"i-1", "i-2"}), installer.ErrNotFound)
	require.ErrorIs(t, r.connect(r.addToken("p-two")).UnsetInstallers(t.Context(), "p-two", []string{"i-1"}), installer.ErrNotFound)
	require.NoError(t, r.client.UnsetInstallers(t.Context(), project, []string{"i-1"}))
	require.ErrorIs(t, r.client.UnsetInstallers(t.Context(), project, []string{"i-1"}), installer.ErrNotFound)
	require.NoError(t, r.store.Purge(t.Context(), time.Now()))
	ways, err = r.store.Ways(t.Context(), project, installer.Through{})
	require.NoError(t, err)
	require.Empty(t, ways)
}
