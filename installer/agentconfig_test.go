package installer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAgentConfigOr(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	own := &AgentConfig{Region: "own", BMS: &no}
	all := &AgentConfig{Region: "r", Endpoint: "https://e", ProjectID: "p", InstanceID: "i", BMS: &yes}
	require.Equal(t, &AgentConfig{Region: "own", Endpoint: "https://e", ProjectID: "p", InstanceID: "i", BMS: &no}, own.Or(all))
	require.Equal(t, all, (*AgentConfig)(nil).Or(all))
	require.Equal(t, all, (&AgentConfig{}).Or(all))
	require.Equal(t, own, own.Or(nil))
	require.Nil(t, (*AgentConfig)(nil).Or(nil))
}

func TestAgentConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := AgentConfig{Region: "region-1", Endpoint: "ces.region-1.example.com", ProjectID: `p"'\\$é`, InstanceID: strings.Repeat("é", MaxText)}
	require.Empty(t, good.Validate(Within("agent")))
	require.Equal(t, "https://ces.region-1.example.com", good.Endpoint, "as the agent's own file has it")
	for _, endpoint := range []string{"http://ces.example.com", "https://u:p@h", "ces example", "ftp://h", "https://", "$(id)"} {
		c := AgentConfig{Endpoint: endpoint}
		require.Len(t, c.Validate(Within("agent")), 1, endpoint)
	}
	bad := AgentConfig{Region: "-r", ProjectID: "a\nb", InstanceID: strings.Repeat("x", MaxText+1)}
	var where []string
	for _, f := range bad.Validate(Within("agent")) {
		where = append(where, f.Where)
	}
	require.Equal(t, []string{"agent.region", "agent.project_id", "agent.instance_id"}, where)

	h := Host{ID: "i", Endpoint: Endpoint{Address: "h", Port: 22, User: "root"}, Agent: &AgentConfig{Region: "-"}}
	require.ErrorContains(t, h.Validate(Within("host")), "host.agent_config.region: want")
}

func TestLabelsConfigureTheAgent(t *testing.T) {
	t.Parallel()
	yes := true
	labels := map[string]string{"agent.region": "r-1", "agent.endpoint": "https://e", "agent.project_id": "p", "agent.instance_id": "i", "agent.bms": "true"}
	require.Equal(t, &AgentConfig{Region: "r-1", Endpoint: "https://e", ProjectID: "p", InstanceID: "i", BMS: &yes}, AgentConfigOf(labels))
	fields, err := json.Marshal(AgentConfigOf(labels))
	require.NoError(t, err)
	for _, field := range AgentConfigFields {
		require.Contains(t, string(fields), `"`+field+`":`)
	}
	require.Len(t, AgentConfigFields, len(labels))
	require.Nil(t, AgentConfigOf(map[string]string{"agent": "x", "agent.other": "y", "region": "z"}))
	for name, value := range labels {
		require.Empty(t, LabelFault(name, value))
		require.Empty(t, LabelFault(name, ""), "any, in a filter")
	}
	for name, value := range map[string]string{"agent.region": "a b", "agent.endpoint": "http://h", "agent.bms": "maybe"} {
		require.Contains(t, LabelFault(name, value), name)
		require.NotContains(t, LabelFault(name, value), value)
	}
	require.Empty(t, LabelFault("agent.other", "a b"))
}

func TestAgentKeysAreChecked(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", MaxPassword)
	require.Empty(t, AgentKeys{}.Validate(Within("agent")))
	require.Empty(t, AgentKeys{NewSecret(long), NewSecret(`'"\$`)}.Validate(Within("agent")))
	for want, keys := range map[string]AgentKeys{
		"agent.secret_key: is missing":           {AccessKey: NewSecret("CANARY")},
		"agent.access_key: is missing":           {SecretKey: NewSecret("CANARY")},
		"agent.access_key: must have at most":    {NewSecret(long + "x"), NewSecret("CANARY")},
		"agent.secret_key: holds a control char": {NewSecret("CANARY"), NewSecret("CANARY\n")},
	} {
		require.ErrorContains(t, keys.Validate(Within("agent")), want)
		require.NotContains(t, keys.Validate(Within("agent")).Error(), "CANARY")
	}
	require.Len(t, Credentials{Agent: AgentKeys{NewSecret("a"), NewSecret("s")}}.Secrets(), 2, "for the scrubber")
}
