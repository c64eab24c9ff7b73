package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
)

// statusOf asks, and returns "uniagent/extension/version" by instance, and the
// order of the rows.
func (r *rig) statusOf(q apitest.StatusQuery) (map[string]string, []string) {
	r.t.Helper()
	a := r.send(http.MethodPost, statuses, asJSON(q))
	require.Equal(r.t, http.StatusOK, a.status, a.body)
	var got api.AgentStatuses
	require.NoError(r.t, json.Unmarshal([]byte(a.body), &got))
	require.NotNil(r.t, got.AgentStatus, "never null")
	rows := map[string]string{}
	var order []string
	for _, row := range got.AgentStatus {
		require.Len(r.t, row.Extensions, 1)
		require.Equal(r.t, "telescope", row.Extensions[0].Name)
		rows[row.InstanceID] = string(row.UniagentStatus) + "/" + string(row.Extensions[0].Status) + "/" + row.Extensions[0].Version
		order = append(order, row.InstanceID)
	}
	return rows, order
}

func TestBStatusCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n, accepted := range map[int]bool{0: false, 1: true, 2000: true, 2001: false} {
		a := r.send(http.MethodPost, statuses, asJSON(map[string]any{"instance_ids": names(n)}))
		if !accepted {
			a.refused(t, http.StatusBadRequest, api.CodeBodyInvalid, "instance_ids: must hold", "2000")
			continue
		}
		var rows api.AgentStatuses
		require.NoError(t, json.Unmarshal([]byte(a.body), &rows))
		require.Len(t, rows.AgentStatus, n, "every asked server gets a row")
	}
}

// TestAgentStatus: what was found on the hosts last, as the API says it.
func TestAgentStatus(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := newRig(t, func(c *api.Config) {
		c.StatusMaxAge = time.Hour
		c.Clock = func() time.Time { return now }
	})
	want := map[string]string{"never-was": "unknown/unknown/"}
	found := map[string]installer.Outcome{
		"10.0.0.1": {Agent: installer.AgentRunning, TargetVersion: "2.7.2"},
		"10.0.0.2": {Agent: installer.AgentNone, CurrentVersion: "2.7.2"},
		"10.0.0.3": {Agent: installer.AgentStopped, TargetVersion: "2.7.1"},
		"10.0.0.4": {Agent: installer.AgentFault, TargetVersion: "2.7.0\n"},
		"10.0.0.5": {Agent: installer.AgentUnknown},
		"10.0.0.6": {},
	}
	shown := map[string]string{
		"10.0.0.1": "running/running/2.7.2", "10.0.0.2": "none/none/", "10.0.0.3": "silent/stopped/2.7.1",
		"10.0.0.4": `unknown/fault/2.7.0\n`, "10.0.0.5": "unknown/unknown/", "10.0.0.6": "unknown/unknown/",
	}
	ids := []string{"never-was"}
	for ip, outcome := range found {
		id := r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"remote_ip": ip}))).created(t).Invocations[0].InstanceID
		r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: outcome})
		ids = append(ids, id)
		want[id] = shown[ip]
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	got, order := r.statusOf(apitest.StatusQuery{InstanceIDs: append(ids, ids[2])})
	require.Equal(t, want, got)
	require.Equal(t, ids, order, "in the order of the request, each server once")

	// Filters keep those that match, together.
	for _, tc := range []struct {
		q    apitest.StatusQuery
		rows int
	}{
		{apitest.StatusQuery{ExtensionName: "telescope"}, 7},
		{apitest.StatusQuery{UniagentStatus: api.UniagentRunning}, 1},
		{apitest.StatusQuery{UniagentStatus: api.UniagentNone}, 1},
		{apitest.StatusQuery{UniagentStatus: api.UniagentSilent}, 1},
		{apitest.StatusQuery{UniagentStatus: api.UniagentUnknown}, 4},
		{apitest.StatusQuery{ExtensionStatus: installer.AgentFault}, 1},
		{apitest.StatusQuery{ExtensionStatus: installer.AgentUnknown}, 3},
		{apitest.StatusQuery{UniagentStatus: api.UniagentUnknown, ExtensionStatus: installer.AgentFault}, 1},
		{apitest.StatusQuery{UniagentStatus: api.UniagentNone, ExtensionStatus: installer.AgentRunning}, 0},
	} {
		tc.q.InstanceIDs = ids
		answered, err := r.client.Status(t.Context(), tc.q)
		require.NoError(t, err)
		require.Len(t, answered.AgentStatus, tc.rows, "%+v", tc.q)
	}

	// What is too old is not known any more.
	now = now.Add(59 * time.Minute)
	got, _ = r.statusOf(apitest.StatusQuery{InstanceIDs: ids})
	require.Equal(t, want, got)
	now = now.Add(2 * time.Minute)
	got, _ = r.statusOf(apitest.StatusQuery{InstanceIDs: ids})
	for id, row := range got {
		require.Equal(t, "unknown/unknown/", row, id)
	}

	// Another project knows nothing of these hosts (C4).
	other := r.clientFor("p-two", r.addToken("p-two", "other"))
	now = now.Add(-time.Hour)
	answered, err := other.Status(t.Context(), apitest.StatusQuery{InstanceIDs: ids})
	require.NoError(t, err)
	require.Len(t, answered.AgentStatus, len(ids))
	for _, row := range answered.AgentStatus {
		require.Equal(t, api.UniagentUnknown, row.UniagentStatus)
	}
}
