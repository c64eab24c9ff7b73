package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

// setJumpHost registers a host, makes it a jump host and plays the engine's
// part in that. It returns the host's id.
func (r *rig) setJumpHost(name, ip, password string) string {
	r.t.Helper()
	id := r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"instance_name": name, "remote_ip": ip, "password": password}))).created(r.t).Invocations[0].InstanceID
	r.finishAll(installer.Succeeded)
	res := r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": "SET_REMOTE_INSTALLER", "instance_ids": []string{id}})).created(r.t).Invocations[0]
	require.Equal(r.t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
	r.finishAll(installer.Succeeded)
	return id
}

// finishAll claims and ends everything that is open, as the engine would.
func (r *rig) finishAll(as installer.State) {
	r.t.Helper()
	r.finishWith(installer.Transition{State: as})
}

func (r *rig) finishWith(tr installer.Transition) {
	r.t.Helper()
	for {
		now := time.Now()
		inv, _, err := r.store.Claim(r.t.Context(), now, installer.ClaimFilter{})
		require.NoError(r.t, err)
		if inv == nil {
			return
		}
		tr.EndAttempt, tr.At = true, now
		require.NoError(r.t, r.store.Finish(r.t.Context(), inv.Ref(), tr))
	}
}

// target asks for a REMOTE_INSTALL and returns what the engine will get.
func (r *rig) target(ip string, installers ...string) (installer.Host, installer.Credentials, api.Result) {
	r.t.Helper()
	body := map[string]any{"invocation_type": "REMOTE_INSTALL", "remote_install_meta": []any{host(map[string]any{"remote_ip": ip, "password": "of the target"})}}
	if len(installers) > 0 {
		body["instance_ids"] = installers
	}
	res := r.send(http.MethodPost, create, asJSON(body)).created(r.t).Invocations[0]
	if res.RetStatus == api.RetError {
		return installer.Host{}, installer.Credentials{}, res
	}
	inv, err := r.store.Invocation(r.t.Context(), project, res.InvocationID)
	require.NoError(r.t, err)
	creds, err := r.store.Credentials(r.t.Context(), &inv)
	require.NoError(r.t, err)
	require.Equal(r.t, "of the target", creds.Password.Reveal(), "the target's login is its own")
	require.Len(r.t, creds.Via, len(inv.Host.Via), "one login per hop")
	return inv.Host, creds, res
}

// ways are those that the engine may go when it dials the host now: addresses
// with the password of each hop.
func (r *rig) hostRoutes(h installer.Host) []string {
	r.t.Helper()
	if h.RouteChoice == nil {
		return nil
	}
	require.Empty(r.t, h.Via)
	hostRoutes, err := r.store.Routes(r.t.Context(), project, *h.RouteChoice)
	require.NoError(r.t, err)
	all := []string{}
	for _, w := range hostRoutes {
		if w.Fail != nil {
			all = append(all, w.Fail.Detail)
			continue
		}
		text := ""
		for i, hop := range w.Hops {
			text += hop.User + "@" + hop.Address + "=" + w.Logins[i].Password.Reveal() + " "
		}
		all = append(all, strings.TrimSpace(text))
	}
	return all
}

func TestRemoteInstallFindsItsRoute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h, creds, _ := r.target("10.9.0.1")
	require.Empty(t, h.Via, "no jump host: the daemon is the jump host")
	require.Empty(t, creds.Via)

	const jump1, jump2 = "root@10.1.0.1=of jump 1", "root@10.1.0.2=of jump 2"
	first := r.setJumpHost("jump-1", "10.1.0.1", "of jump 1")
	h, creds, _ = r.target("10.9.0.2")
	require.Equal(t, []string{jump1}, r.hostRoutes(h), "the project's jump host")
	require.Empty(t, creds.Via, "its login is looked up when it is needed")

	// A second jump host, itself behind the first.
	second := r.setJumpHost("jump-2", "10.1.0.2", "of jump 2")
	require.Equal(t, []string{jump1, jump1 + " " + jump2}, r.hostRoutes(h), "the one set first goes first; also for what waits")
	h, creds, _ = r.target("10.9.0.3", second)
	require.Equal(t, []string{jump1 + " " + jump2}, r.hostRoutes(h), "named by instance_ids, its own way included")
	require.Empty(t, creds.Via)
	h, _, _ = r.target("10.9.0.3", "never-was", second, first)
	require.Equal(t, []string{jump1 + " " + jump2, jump1}, r.hostRoutes(h), "those that are known, in this order")

	// A host that is a hop is not reached through itself.
	h, _, _ = r.target("10.1.0.1")
	require.Nil(t, h.RouteChoice)
	require.Empty(t, h.Via)
	h, creds, _ = r.target("10.1.0.2", second)
	require.Equal(t, []installer.Endpoint{{Address: "10.1.0.1", Port: 22, User: "root"}}, h.Via)
	require.Equal(t, []installer.Login{{}}, creds.Via, "looked up when it is needed")

	_, _, res := r.target("10.9.0.4", "never-was")
	require.Equal(t, api.ItemUnknownJumpHost, res.ErrorCode)
	require.NotEmpty(t, res.ErrorMsg)
}

// TestJumpHostWithoutCredentials: a named one whose password was never kept.
func TestJumpHostWithoutCredentials(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.store.Submit(t.Context(), installer.Batch{
		BatchHead: installer.BatchHead{ID: "b", ProjectID: project},
		Items: []installer.Item{{Invocation: installer.Invocation{ID: "i", Type: installer.RemoteInstall,
			Host: installer.Host{ID: "bare", Endpoint: installer.Endpoint{Address: "10.1.0.9", Port: 22, User: "root"}}}}},
	}))
	_, _, res := r.target("10.9.0.1", "bare")
	require.Equal(t, api.ItemJumpHostCredentialMissing, res.ErrorCode)

	made := r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": "SET_REMOTE_INSTALLER", "instance_ids": []string{"bare", "never-was"}})).created(t).Invocations
	require.Equal(t, "bare", made[0].InstanceID)
	require.Equal(t, api.ItemCredentialMissing, made[0].ErrorCode)
	require.Equal(t, "never-was", made[1].InstanceID)
	require.Equal(t, api.ItemUnknownInstance, made[1].ErrorCode)
}

func TestSetRemoteInstaller(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *api.Config) {
		c.Fallback.Packages = []installer.BlobRef{{SHA256: "x", Name: "telescope.tar.gz"}}
	})
	id := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0].InstanceID
	for _, spelling := range []string{"SET_REMOTE_INSTALLER", "SET_REMOTE_INSTALL_HOST"} {
		res := r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": spelling, "instance_ids": []string{id}})).created(t).Invocations[0]
		require.Equal(t, api.RetSuccessful, res.RetStatus)
		require.Equal(t, id, res.InstanceID)
		inv, err := r.store.Invocation(t.Context(), project, res.InvocationID)
		require.NoError(t, err)
		require.Equal(t, installer.SetRemoteInstaller, inv.Type)
		require.Equal(t, "10.0.0.1", inv.Host.Address)
		require.Empty(t, inv.Spec.Packages, "nothing is installed on it")
		creds, err := r.store.Credentials(t.Context(), &inv)
		require.NoError(t, err)
		require.Equal(t, "correct horse", creds.Password.Reveal())
	}
}

// TestUnsetJumpHostIsUsedNoMore: neither by what waits nor by a RETRY, and named
// ones are not replaced by others.
func TestUnsetJumpHostIsUsedNoMore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b := r.setJumpHost("a", "10.1.0.1", "one"), ""
	h, _, waits := r.target("10.9.0.1")
	r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindRefused})
	h2, _, _ := r.target("10.9.0.2", a)
	r.finishAll(installer.Failed)
	again := func(id string) installer.Host {
		t.Helper()
		res := r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": "RETRY", "invocation_ids": []string{id}})).created(t).Invocations[0]
		require.Equal(t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
		inv, err := r.store.Invocation(t.Context(), project, res.InvocationID)
		require.NoError(t, err)
		return inv.Host
	}
	// The daemon's own network leads to the second one; the first is set already.
	b = r.setJumpHost("b", "10.1.0.2", "two")
	require.Equal(t, []string{"root@10.1.0.1=one", "root@10.1.0.1=one root@10.1.0.2=two"}, r.hostRoutes(h))
	require.NoError(t, r.store.UnsetInstallers(t.Context(), project, []string{b}))
	require.Equal(t, []string{"root@10.1.0.1=one"}, r.hostRoutes(h))
	require.NoError(t, r.store.UnsetInstallers(t.Context(), project, []string{a}))
	require.Empty(t, r.hostRoutes(h))
	require.Equal(t, []string{"jump host " + a + " is not used by the project any more"}, r.hostRoutes(h2))

	// That nothing can be done for a host is told when a task is asked for.
	for _, res := range slices.Concat(r.ask("INSTALL", nil, h.ID), r.ask("UPDATE", nil, h.ID), r.ask("SET_REMOTE_INSTALLER", nil, h.ID), r.ask("RETRY", nil, waits.InvocationID)) {
		itemRefused(t, res, api.ItemUnknownJumpHost, "")
		require.Contains(t, res.ErrorMsg, "there is none: set one, or import the host with its own way")
	}
	itemRefused(t, r.ask("INSTALL", nil, h2.ID)[0], api.ItemJumpHostCredentialMissing, "")

	c := r.setJumpHost("c", "10.1.0.3", "three")
	require.NotEmpty(t, c)
	require.Equal(t, []string{"root@10.1.0.3=three"}, r.hostRoutes(again(waits.InvocationID)), "a RETRY takes what is set now")
	require.Equal(t, []string{"jump host " + a + " is not used by the project any more"}, r.hostRoutes(h2), "named ones are not replaced")
	_, _, res := r.target("10.9.0.3", a)
	require.Equal(t, "", string(res.ErrorCode), "it is a known host still, and may be named")
}

// TestHostsOfEarlierVersionsKeepTheirRoute: their hops and logins are in the row; what
// is kept for them is used, and they are tried again.
func TestHostsOfEarlierVersionsKeepTheirRoute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setJumpHost("a", "10.1.0.1", "one")
	hop := []installer.Endpoint{{Address: "10.1.0.1", Port: 22, User: "root"}}
	require.NoError(t, r.store.Submit(t.Context(), installer.Batch{
		BatchHead: installer.BatchHead{ID: "b", ProjectID: project},
		Items: []installer.Item{{
			Invocation: installer.Invocation{ID: "old", Type: installer.RemoteInstall, Spec: installer.Spec{Target: "telescope", HostKeys: installer.AcceptNew},
				Host: installer.Host{ID: installer.InstanceID(project, "10.9.0.1", 22), Endpoint: installer.Endpoint{Address: "10.9.0.1", Port: 22, User: "root"}, Via: hop}},
			Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("kept")},
				Via: []installer.Login{{Password: installer.NewSecret("one")}}},
		}},
	}))
	open, err := r.store.Invocation(t.Context(), project, "old")
	require.NoError(t, err)
	require.Equal(t, hop, open.Host.Via, "what is open goes on as it is")
	r.finishAll(installer.Failed)
	retry := func() installer.Host {
		t.Helper()
		res := r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": "RETRY", "invocation_ids": []string{"old"}})).created(t).Invocations[0]
		require.Equal(t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
		inv, err := r.store.Invocation(t.Context(), project, res.InvocationID)
		require.NoError(t, err)
		creds, err := r.store.Credentials(t.Context(), &inv)
		require.NoError(t, err)
		require.Equal(t, "kept", creds.Password.Reveal())
		r.finishAll(installer.Failed)
		return inv.Host
	}
	require.Equal(t, hop, retry().Via)

	// Without a login of its own the next task for it takes the kept one.
	body := map[string]any{"invocation_type": "REMOTE_INSTALL", "remote_install_meta": []any{host(map[string]any{"remote_ip": "10.9.0.1", "password": nil})}}
	res := r.send(http.MethodPost, create, asJSON(body)).created(t).Invocations[0]
	require.Equal(t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
	inv, err := r.store.Invocation(t.Context(), project, res.InvocationID)
	require.NoError(t, err)
	require.NotNil(t, inv.Host.RouteChoice)
	creds, err := r.store.Credentials(t.Context(), &inv)
	require.NoError(t, err)
	require.Equal(t, "kept", creds.Password.Reveal())
	r.finishAll(installer.Failed)
	require.NotNil(t, retry().RouteChoice, "and an old one is tried again in the new way")

	require.NoError(t, r.store.UnsetInstallers(t.Context(), project, []string{installer.InstanceID(project, "10.1.0.1", 22)}))
	r.setJumpHost("elsewhere", "10.1.0.9", "nine")
	again := r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": "RETRY", "invocation_ids": []string{"old"}})).created(t).Invocations[0]
	require.Equal(t, api.ItemNotAllowed, again.ErrorCode, "what is behind another jump host may be another machine")
}

// TestAJumpHostWithoutLoginCanBeGivenOne: the request that brings it is not in
// its own way.
func TestAJumpHostWithoutLoginCanBeGivenOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := installer.Endpoint{Address: "10.1.0.1", Port: 22, User: "root"}
	id := installer.InstanceID(project, at.Address, at.Port)
	require.NoError(t, r.store.Submit(t.Context(), installer.Batch{
		BatchHead: installer.BatchHead{ID: "b", ProjectID: project},
		Items:     []installer.Item{{Invocation: installer.Invocation{ID: "i", Type: installer.SetRemoteInstaller, Host: installer.Host{ID: id, Endpoint: at}}}},
	}))
	r.finishAll(installer.Succeeded)
	_, _, res := r.target("10.9.0.1")
	require.Equal(t, api.ItemJumpHostCredentialMissing, res.ErrorCode)
	require.Contains(t, res.ErrorMsg, "jump host root@10.1.0.1:22")
	h, _, res := r.target("10.1.0.1")
	require.Equal(t, api.RetSuccessful, res.RetStatus)
	require.Nil(t, h.RouteChoice)
}
