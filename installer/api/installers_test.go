package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

// setInstaller registers a host, makes it an installer and plays the engine's
// part in that. It returns the host's id.
func (r *rig) setInstaller(name, ip, password string) string {
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

func TestRemoteInstallFindsItsWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h, creds, _ := r.target("10.9.0.1")
	require.Empty(t, h.Via, "no installer: the daemon is the jump host")
	require.Empty(t, creds.Via)

	first := r.setInstaller("jump-1", "10.1.0.1", "of jump 1")
	hop := func(ip string) []installer.Endpoint {
		return []installer.Endpoint{{Address: ip, Port: 22, User: "root"}}
	}
	h, creds, _ = r.target("10.9.0.2")
	require.Equal(t, hop("10.1.0.1"), h.Via, "the project's installer")
	require.Equal(t, "of jump 1", creds.Via[0].Password.Reveal())

	// A second installer, itself behind the first.
	second := r.setInstaller("jump-2", "10.1.0.2", "of jump 2")
	h, _, _ = r.target("10.9.0.3")
	require.Equal(t, hop("10.1.0.1"), h.Via, "the one set first")
	h, creds, _ = r.target("10.9.0.3", second)
	require.Equal(t, append(hop("10.1.0.1"), hop("10.1.0.2")...), h.Via, "named by instance_ids, its own way included")
	require.Equal(t, "of jump 1", creds.Via[0].Password.Reveal())
	require.Equal(t, "of jump 2", creds.Via[1].Password.Reveal())
	h, _, _ = r.target("10.9.0.3", "never-was", first)
	require.Equal(t, hop("10.1.0.1"), h.Via, "the first one that is known")

	// A host that is a hop is not reached through itself.
	h, _, _ = r.target("10.1.0.1")
	require.Empty(t, h.Via)
	h, _, _ = r.target("10.1.0.2", second)
	require.Equal(t, hop("10.1.0.1"), h.Via)

	_, _, res := r.target("10.9.0.4", "never-was")
	require.Equal(t, api.ItemUnknownInstaller, res.ErrorCode)
	require.NotEmpty(t, res.ErrorMsg)
}

// TestInstallerWithoutCredentials: a named one whose password was never kept.
func TestInstallerWithoutCredentials(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.store.Submit(t.Context(), installer.Batch{
		BatchHead: installer.BatchHead{ID: "b", ProjectID: project},
		Items: []installer.Item{{Invocation: installer.Invocation{ID: "i", Type: installer.RemoteInstall,
			Host: installer.Host{ID: "bare", Endpoint: installer.Endpoint{Address: "10.1.0.9", Port: 22, User: "root"}}}}},
	}))
	_, _, res := r.target("10.9.0.1", "bare")
	require.Equal(t, api.ItemInstallerCredentialMissing, res.ErrorCode)

	made := r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": "SET_REMOTE_INSTALLER", "instance_ids": []string{"bare", "never-was"}})).created(t).Invocations
	require.Equal(t, "bare", made[0].InstanceID)
	require.Equal(t, api.ItemCredentialMissing, made[0].ErrorCode)
	require.Equal(t, "never-was", made[1].InstanceID)
	require.Equal(t, api.ItemUnknownInstance, made[1].ErrorCode)
}

func TestSetRemoteInstaller(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *api.Config) {
		c.Spec.Packages = []installer.BlobRef{{SHA256: "x", Name: "telescope.tar.gz"}}
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
