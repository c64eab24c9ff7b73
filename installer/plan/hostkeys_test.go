package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/plan"
)

const (
	pinned     = "ssh-ed25519 AAAA"
	pinsLooked = "--host-keys insecure holds only where all logins, those of jump hosts too, are given with the command: 1 of the hosts are checked as with accept-new"
)

// TestKeptLoginsLookAtPins: whoever says insecure means the login that comes along, and
// not one that was given when the host's key was looked at.
func TestKeptLoginsLookAtPins(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.HostKeys = installer.Insecure
	r.submit(install(1))
	require.NoError(t, r.store.PinKey(t.Context(), project, "10.0.0.1:22", pinned))
	r.ends()
	insecure := func(change func(*plan.Request)) *plan.Plan {
		t.Helper()
		req := install(1)
		req.Spec.HostKeys = installer.Insecure
		change(&req)
		p, err := r.Plan(t.Context(), req)
		require.NoError(t, err)
		return p
	}
	noLogin := func(req *plan.Request) { req.Hosts[0].Credentials = installer.Credentials{} }
	noHopLogin := func(req *plan.Request) {
		req.Hosts[0].Host.Via = []installer.Endpoint{{Address: "10.0.0.9", Port: 22, User: "ops"}}
	}
	byID := func(req *plan.Request) { req.Known, req.Hosts = []string{req.Hosts[0].Host.ID}, nil }
	for name, change := range map[string]func(*plan.Request){"no login": noLogin, "by id": byID} {
		p := insecure(change)
		require.Equal(t, "of 10.0.0.1", p.Items[0].Credentials.Password.Reveal(), name)
		require.Equal(t, installer.AcceptNew, p.Items[0].Invocation.Spec.HostKeys, name)
		require.Equal(t, []string{pinsLooked}, p.Notes, name)
	}
	p := insecure(func(*plan.Request) {})
	require.Equal(t, installer.Insecure, p.Items[0].Invocation.Spec.HostKeys, "the login is given")
	require.Empty(t, p.Notes)

	p = insecure(func(req *plan.Request) {
		noHopLogin(req)
		req.Hosts[0].Credentials.Via = []installer.Login{password("of the hop").Login}
	})
	require.Equal(t, installer.Insecure, p.Items[0].Invocation.Spec.HostKeys, "the hop's login is given too")

	r.DefaultLogins = map[string]installer.Login{project: password("default").Login}
	p = insecure(noHopLogin)
	require.Equal(t, installer.AcceptNew, p.Items[0].Invocation.Spec.HostKeys, "the hop's login is not given")
	p = insecure(func(req *plan.Request) { noLogin(req); req.Hosts[0].DefaultKey = true })
	require.Equal(t, installer.AcceptNew, p.Items[0].Invocation.Spec.HostKeys, "the default key is not given")
}

// TestRetriesOfInsecureLookAtPins, unless their login is given.
func TestRetriesOfInsecureLookAtPins(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.HostKeys = installer.Insecure
	mistyped := install(1)
	mistyped.Spec.HostKeys = installer.Insecure
	mistyped.Hosts[0].Credentials = password("mistyped")
	first := r.submit(mistyped)
	r.ends("10.0.0.1")
	r.submit(install(1))
	require.NoError(t, r.store.PinKey(t.Context(), project, "10.0.0.1:22", pinned))
	r.ends()
	for _, interactive := range []bool{true, false} {
		retry := plan.Request{Project: project, Task: installer.Retry, Interactive: interactive, Of: []string{first.Items[0].Invocation.ID}}
		p, err := r.Plan(t.Context(), retry)
		require.NoError(t, err)
		require.Equal(t, plan.New, p.Items[0].Standing)
		require.Equal(t, installer.AcceptNew, p.Items[0].Invocation.Spec.HostKeys)
		require.Equal(t, []string{pinsLooked}, p.Notes)

		retry.Hosts = hosts(1)
		p, err = r.Plan(t.Context(), retry)
		require.NoError(t, err)
		require.Equal(t, installer.Insecure, p.Items[0].Invocation.Spec.HostKeys, "the login is given")
		require.Empty(t, p.Notes)
	}
}

// TestKeptLoginsDoNotJoinInsecureWork that is under way: it keeps the login that it came with.
func TestKeptLoginsDoNotJoinInsecureWork(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.HostKeys = installer.Insecure
	req := install(1)
	req.Resume, req.Spec.HostKeys = true, installer.Insecure
	req.Hosts[0].Credentials = password("of the insecure one")
	first := r.submit(req)
	imported := hosts(1)
	imported[0].Credentials = password("imported since")
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, imported))
	used := func() string {
		t.Helper()
		creds, err := r.store.Credentials(t.Context(), &first.Items[0].Invocation)
		require.NoError(t, err)
		return creds.Password.Reveal()
	}
	req.Hosts[0].Credentials = installer.Credentials{}
	require.NotNil(t, r.submit(req).Resumed)
	require.Equal(t, "of the insecure one", used())
	req.Hosts[0].Credentials = password("typed again")
	require.NotNil(t, r.submit(req).Resumed)
	require.Equal(t, "typed again", used())
}
