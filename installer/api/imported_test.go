package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

// An imported host is not made a second time by a REMOTE_INSTALL to its address,
// and an INSTALL by its id gets in with what it was imported with, also afterwards.
func TestImportedHosts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	imported := installer.HostEntry{Host: installer.Host{
		ID: "i-mine", Name: "mine", Type: installer.BMS, Labels: map[string]string{"env": "prod"}, ElasticIPs: []string{"203.0.113.9"},
		Endpoint: installer.Endpoint{Address: "10.0.0.7", Port: 22, User: "root"},
	}, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("imported")}}}
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{imported}))

	h, creds, res := r.target("10.0.0.7")
	require.Equal(t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
	assert.Equal(t, "i-mine", res.InstanceID)
	assert.Equal(t, installer.BMS, h.Type)
	assert.Equal(t, []string{"203.0.113.9"}, h.ElasticIPs)
	assert.Equal(t, "of the target", creds.Password.Reveal(), "the request's own goes first")
	r.finishAll(installer.Succeeded)

	_, _, res = r.target("10.0.0.8")
	assert.Equal(t, installer.InstanceID(project, "10.0.0.8", 22), res.InstanceID, "a host that nobody has imported")
	r.finishAll(installer.Succeeded)

	res = r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": "INSTALL", "instance_ids": []string{"i-mine"}})).created(t).Invocations[0]
	require.Equal(t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
	inv, err := r.store.Invocation(t.Context(), project, res.InvocationID)
	require.NoError(t, err)
	creds, err = r.store.Credentials(t.Context(), &inv)
	require.NoError(t, err)
	assert.Equal(t, "imported", creds.Password.Reveal())
	assert.Equal(t, "mine", inv.Host.Name)
}

// TestKnownNamesAreKept: a REMOTE_INSTALL without instance_name is about the host
// by the name that it has; one with a name gives it that.
func TestKnownNamesAreKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	name := func(said any) string {
		t.Helper()
		res := r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"instance_name": said}))).created(t).Invocations[0]
		inv, _ := r.stored(res)
		known, err := r.store.KnownHost(t.Context(), project, res.InstanceID)
		require.NoError(t, err)
		require.Equal(t, inv.Host.Name, known.Name)
		require.Equal(t, inv.Host.Name, r.list("?limit=1").Invocations[0].InstanceName)
		r.finishAll(installer.Failed)
		return known.Name
	}
	require.Equal(t, "10.0.0.1", name(nil), "nothing is known")
	require.Equal(t, "w2", name("w2"))
	require.Equal(t, "w2", name(nil))
	require.Equal(t, "w3", name("w3"))
}
