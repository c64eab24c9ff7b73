package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

// TestAgentOfAHost: what a request says of the agent on one host goes with the task, before what the daemon
// says for the project. No answer has the keys.
func TestAgentOfAHost(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *api.Config) {
		c.AgentDefaults = func(p string) (*installer.AgentConfig, installer.AgentKeys) {
			return &installer.AgentConfig{Region: "r-" + p, ProjectID: "of the daemon"}, installer.AgentKeys{}
		}
	})
	said := map[string]any{"region": "r-1", "bms": true, "access_key": "CANARY-ak", "secret_key": "CANARY-sk"}
	answer := r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"password": "x", "agent": said})))
	require.Equal(t, http.StatusCreated, answer.status)
	list, err := r.client.List(t.Context(), installer.Filter{})
	require.NoError(t, err)
	inv, creds := r.stored(api.Result{RetStatus: api.RetSuccessful, InvocationID: list.Invocations[0].InvocationID})
	require.Equal(t, "r-1", inv.Spec.Agent.Region)
	require.Equal(t, "of the daemon", inv.Spec.Agent.ProjectID)
	require.True(t, *inv.Spec.Agent.BMS)
	require.Equal(t, "CANARY-sk", creds.Agent.SecretKey.Reveal())
	require.NotContains(t, answer.body, "CANARY")

	delete(said, "access_key")
	answer = r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"password": "x", "agent": said})))
	require.Equal(t, http.StatusBadRequest, answer.status)
	require.Contains(t, answer.body, "remote_install_meta[0].agent.access_key: is missing")
	require.NotContains(t, answer.body, "CANARY")
}
