package report

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// TestKnownHostJSON holds what is shown of a known host to what there is of it: in
// full both say the same, and of an empty one nothing is missing.
func TestKnownHostJSON(t *testing.T) {
	t.Parallel()
	full := installer.KnownHost{
		Host: installer.Host{
			ID: "i-1", Name: "web", Type: installer.BMS,
			Endpoint:    installer.Endpoint{Address: "a", Port: 22, User: "root", HostKey: "SHA256:x"},
			Via:         []installer.Endpoint{{Address: "b", Port: 23, User: "ops", HostKey: "SHA256:y"}},
			RouteChoice: &installer.RouteChoice{Named: []installer.NamedJumpHost{{ID: "i-2", SetUp: true}}},
			Become:      installer.BecomeNever,
			IntranetIPs: []string{"c"}, ElasticIPs: []string{"d"}, Labels: map[string]string{"e": "f"}, Vars: map[string]string{"G": "h"},
			Agent: &installer.AgentConfig{Region: "g", Endpoint: "h", ProjectID: "j", InstanceID: "k", BMS: new(bool)},
		},
		Agent: installer.AgentRunning, Version: "1", Edition: installer.Basic,
		Verified: time.Unix(1, 0).UTC(), Reporting: installer.Reporting{Able: installer.ReportingNo, Why: "l"}, Login: true, JumpHost: true,
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[installer.KnownHost]()) {
		require.False(t, reflect.ValueOf(full).FieldByIndex(f.Index).IsZero(), "the test has no %s", f.Name)
	}
	want, err := json.Marshal(full)
	require.NoError(t, err)
	doc, err := HostJSON(full)
	require.NoError(t, err)
	got, err := json.Marshal(doc)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))

	var all, none map[string]any
	require.NoError(t, json.Unmarshal(got, &all))
	none, err = HostJSON(installer.KnownHost{Host: installer.Host{RouteChoice: &installer.RouteChoice{Named: []installer.NamedJumpHost{{}}}, Via: []installer.Endpoint{{}}}})
	require.NoError(t, err)
	doc, err = HostJSON(installer.Host{Agent: &installer.AgentConfig{Region: "r"}})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"region": "r", "endpoint": "", "project_id": "", "instance_id": "", "bms": nil}, doc["agent_config"])
	require.Equal(t, map[string]any{"named": []any{map[string]any{"instance_id": "", "set_up": false}}}, none["through"])
	require.Contains(t, none["via"].([]any)[0], "host_key")
	for name := range all {
		require.Contains(t, none, name)
	}
}
