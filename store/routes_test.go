package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/storetest"
)

// setUp makes a host an installer, as the engine does when its check went well.
func setUp(t *testing.T, s *Store, id, address, password string, through *installer.RouteChoice) {
	t.Helper()
	b := batch("set-"+id, id)
	inv := &b.Items[0].Invocation
	inv.Type, inv.Host.Address, inv.Host.RouteChoice = installer.SetRemoteInstaller, address, through
	b.Items[0].Credentials = installer.Credentials{Login: installer.Login{Password: secret(password)}}
	submit(t, s, b)
	finish(t, s, claim(t, s, t0, b.ID), installer.Succeeded)
	require.NoError(t, s.Purge(t.Context(), t0.Add(1000*time.Hour))) // what came with the task is gone
}

// routesOf are addresses and passwords along each way, or why it cannot be gone.
func routesOf(t *testing.T, s *Store, project string, named ...installer.NamedJumpHost) []string {
	t.Helper()
	routes, err := s.Routes(t.Context(), project, installer.RouteChoice{Named: named})
	require.NoError(t, err)
	var all []string
	for _, w := range routes {
		if w.Fail != nil {
			require.Equal(t, installer.KindCredentialMissing, w.Fail.Kind)
			require.Empty(t, w.Hops)
			require.Empty(t, w.Logins)
			all = append(all, w.JumpHost+": "+w.Fail.Detail)
			continue
		}
		require.Len(t, w.Logins, len(w.Hops))
		text := w.JumpHost + ":"
		for i, hop := range w.Hops {
			text += " " + hop.Address + "=" + w.Logins[i].Password.Reveal()
		}
		all = append(all, text)
	}
	return all
}

func asSetUp(ids ...string) (named []installer.NamedJumpHost) {
	for _, id := range ids {
		named = append(named, installer.NamedJumpHost{ID: id, SetUp: true})
	}
	return named
}

func TestRoutesThroughJumpHosts(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	require.Empty(t, routesOf(t, s, project))
	projects := &installer.RouteChoice{}
	setUp(t, s, "b", "10.0.0.2", "two", nil)
	setUp(t, s, "a", "10.0.0.1", "one", nil)
	require.Equal(t, []string{"b: 10.0.0.2=two", "a: 10.0.0.1=one"}, routesOf(t, s, project), "the first one set first")
	require.Empty(t, routesOf(t, s, "another"))

	// One that is itself behind the others, or behind a named one.
	setUp(t, s, "inner", "10.1.0.1", "in", projects)
	setUp(t, s, "deep", "10.2.0.1", "de", &installer.RouteChoice{Named: asSetUp("inner")})
	setUp(t, s, "other", "10.1.0.2", "ot", projects)
	require.Equal(t, []string{
		"b: 10.0.0.2=two", "a: 10.0.0.1=one",
		"inner: 10.0.0.2=two 10.1.0.1=in", "inner: 10.0.0.1=one 10.1.0.1=in",
		"deep: 10.0.0.2=two 10.1.0.1=in 10.2.0.1=de", "deep: 10.0.0.1=one 10.1.0.1=in 10.2.0.1=de",
		"other: 10.0.0.2=two 10.1.0.2=ot", "other: 10.0.0.1=one 10.1.0.2=ot",
		"other: 10.0.0.2=two 10.1.0.1=in 10.2.0.1=de 10.1.0.2=ot", "other: 10.0.0.1=one 10.1.0.1=in 10.2.0.1=de 10.1.0.2=ot",
	}, routesOf(t, s, project))
	require.Equal(t, []string{"a: 10.0.0.1=one"}, routesOf(t, s, project, asSetUp("a")...), "named ones and no other")
	require.Equal(t, []string{"never: jump host never is not used by the project any more"}, routesOf(t, s, project, asSetUp("never")...))
	require.Equal(t, []string{"never: jump host never is not a known host any more"}, routesOf(t, s, project, installer.NamedJumpHost{ID: "never"}))

	// A known host that is named, with what is kept for it.
	register(t, s, known("k", "10.3.0.1", "kept"), known("bare", "10.3.0.2", ""))
	require.Equal(t, []string{"k: 10.3.0.1=kept"}, routesOf(t, s, project, installer.NamedJumpHost{ID: "k"}))
	require.Equal(t, []string{"bare: no login is kept for jump host root@10.3.0.2:22 any more"},
		routesOf(t, s, project, installer.NamedJumpHost{ID: "bare"}))

	// Those that are behind one that is none any more are told.
	require.NoError(t, s.UnsetInstallers(t.Context(), project, []string{"inner"}))
	require.Equal(t, []string{"deep: jump host root@10.2.0.1:22 is behind another: jump host inner is not used by the project any more"},
		routesOf(t, s, project, asSetUp("deep")...))
	require.NoError(t, s.UnsetInstallers(t.Context(), project, []string{"a", "b", "deep"}))
	require.Equal(t, []string{"other: jump host root@10.1.0.2:22 is behind another, and none is left"}, routesOf(t, s, project))
}

// TestRoutesHaveNoCycles, whatever is behind what, and end soon.
func TestRoutesHaveNoCycles(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	var ids []string
	for i := range 12 {
		ids = append(ids, string(rune('a'+i)))
	}
	for _, id := range ids {
		setUp(t, s, id, "10.0.0."+id, "x", &installer.RouteChoice{Named: asSetUp(ids...)})
	}
	routes, err := s.Routes(t.Context(), project, installer.RouteChoice{})
	require.NoError(t, err)
	assert.LessOrEqual(t, len(routes), inventory.RoutesMost)
	for _, w := range routes {
		assert.NotNil(t, w.Fail, "nothing is there to begin with")
	}
}

// TestLoginsOfHopsThatAreInstallersAreLookedUp: they are not copied into what is kept
// for the installer behind them.
func TestLoginsOfHopsThatAreInstallersAreLookedUp(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	setUp(t, s, "a", "10.0.0.1", "one", nil)
	b := batch("B", "b")
	inv := &b.Items[0].Invocation
	inv.Type, inv.Host.Address = installer.SetRemoteInstaller, "10.1.0.1"
	inv.Host.Via = []installer.Endpoint{{Address: "10.0.0.1", Port: 22, User: "root"}}
	b.Items[0].Credentials.Via = make([]installer.Login, 1)
	submit(t, s, b)
	finish(t, s, claim(t, s, t0, "B"), installer.Succeeded)
	want := "b: 10.0.0.1=one 10.1.0.1=pw-b"
	require.Equal(t, []string{"a: 10.0.0.1=one", want}, routesOf(t, s, project))
	require.Equal(t, []string{want}, routesOf(t, s, project, asSetUp("b")...))
	require.NoError(t, s.UnsetInstallers(t.Context(), project, []string{"a"}))
	require.Equal(t, []string{"b: no login is kept for jump host root@10.0.0.1:22, which is before another, or the project does not use it any more"}, routesOf(t, s, project))
}

// TestUnsetInstaller: it is none any more, and the login that was kept for that is
// erased (P6).
func TestUnsetInstaller(t *testing.T) {
	t.Parallel()
	dir := storetest.Dir(t)
	s := openTest(t, dir, Options{})
	register(t, s, known("a", "10.0.0.1", "of the host itself"))
	setUp(t, s, "a", "10.0.0.1", "one", nil)
	setUp(t, s, "b", "10.0.0.2", "two", nil)
	keys := func() int { return keyCount(s) }
	before := keys()

	// All or none; another project's is none.
	err := s.UnsetInstallers(t.Context(), project, []string{"a", "k"})
	require.ErrorIs(t, err, installer.ErrNotFound)
	require.ErrorContains(t, err, "host k is no jump host")
	require.ErrorIs(t, s.UnsetInstallers(t.Context(), "another", []string{"a"}), installer.ErrNotFound)
	require.Len(t, routesOf(t, s, project), 2)

	require.NoError(t, s.UnsetInstallers(t.Context(), project, []string{"a", "a"}))
	require.Equal(t, []string{"b: 10.0.0.2=two"}, routesOf(t, s, project))
	require.Equal(t, before-1, keys(), "its key is destroyed")
	for _, h := range hostsOf(t, s, installer.HostFilter{}) {
		assert.Equal(t, h.ID == "b", h.JumpHost, h.ID)
	}
	assert.Equal(t, "of the host itself", passwordOf(t, s, "a"), "that of the host stays")
	require.ErrorIs(t, s.UnsetInstallers(t.Context(), project, []string{"a"}), installer.ErrNotFound)
	log, err := s.Audit(t.Context(), installer.AuditFilter{})
	require.NoError(t, err)
	last := log[len(log)-1]
	assert.Equal(t, installer.AuditJumpHostUnset, last.Action)
	assert.Equal(t, "a", last.Hosts[0].ID)

	// One that is set anew is the last.
	again := batch("again", "a")
	again.Items[0].Invocation.Type = installer.SetRemoteInstaller
	submit(t, s, again)
	finish(t, s, claim(t, s, t0, "again"), installer.Succeeded)
	require.Equal(t, "b", routesOf(t, s, project)[0][:1])
	require.Equal(t, "a", routesOf(t, s, project)[1][:1])

	require.NoError(t, s.Close())
	read := openTest(t, dir, Options{ReadOnly: true})
	require.ErrorIs(t, read.UnsetInstallers(t.Context(), project, []string{"a"}), installer.ErrStorage)
}
