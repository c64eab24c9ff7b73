package hostsfile

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// What a CSV and a JSON say of agents is the same, byte for byte.
func TestAgentsOfHosts(t *testing.T) {
	t.Parallel()
	const csv = "address,agent_region,agent_endpoint,agent_project_id,agent_instance_id,agent_bms,agent_access_key,agent_secret_key\n" +
		"192.0.2.1,r-1,ces.example.com,p,i-1,true,AK,\" s'\"\"\\$é \"\n192.0.2.2,,,,,,,\n"
	const json = `[{"remote_ip":"192.0.2.1","agent":{"region":"r-1","endpoint":"https://ces.example.com/","project_id":"p","instance_id":"i-1","bms":true,
		"access_key":"AK","secret_key":" s'\"\\$é "}},{"remote_ip":"192.0.2.2","agent":{}}]`
	yes := true
	for name, text := range map[string]string{"csv": csv, "json": json} {
		entries, err := parse(text, FormatAuto, Defaults{})
		require.NoError(t, err, name)
		e := entries[0]
		require.Equal(t, &installer.AgentConfig{Region: "r-1", Endpoint: "https://ces.example.com", ProjectID: "p", InstanceID: "i-1", BMS: &yes}, e.Host.Agent, name)
		require.Equal(t, "AK", e.Credentials.Agent.AccessKey.Reveal())
		require.Equal(t, ` s'"\$é `, e.Credentials.Agent.SecretKey.Reveal())
		require.True(t, e.HasSecret, name)
		require.Nil(t, entries[1].Host.Agent, name)
		require.False(t, entries[1].HasSecret, name)
	}
}

func TestAgentFaults(t *testing.T) {
	t.Parallel()
	_, err := parse("ip,agent_region,agent_endpoint,agent_bms,agent_access_key,agent_secret_key,agent_instance_id,labels\n"+
		"192.0.2.1,-r,http://h,perhaps,hunter2,,,\n"+
		"192.0.2.[2-3],,,,,,i-1,\n"+
		"192.0.2.4,,,,hunter2,\"hunter\n2\",,agent.region=-r\n", FormatAuto, Defaults{})
	told(t, err, "hosts:2 agent_bms: must be true or false", "hosts:2 agent_region: want 1 to 64", "hosts:2 agent_endpoint: http can be changed",
		"hosts:2 agent_secret_key: is missing", "hosts:3 address: a range makes several hosts", "hosts:4 labels: agent.region: want",
		"hosts:4 agent_secret_key: holds a control character")
	_, err = parse(`[{"remote_ip":"192.0.2.1","agent":{"region":"-r","endpoint":7,"bms":"yes","secret_key":"hunter2","regoin":"x","Bms":true}},
		{"remote_ip":"192.0.2.2","agent":"hunter2"}]`, FormatJSON, Defaults{})
	told(t, err, "hosts [0].agent.endpoint: must be a string", "hosts [0].agent.bms: must be true or false", "hosts [0].agent.region: want",
		"hosts [0].agent.access_key: is missing", "hosts [0].agent.Bms: is written bms", "hosts [0].agent.regoin: is not a known field",
		"hosts [1].agent: must be an object")
}

func TestAgentConfigFile(t *testing.T) {
	t.Parallel()
	config, keys, err := AgentConfig("fleet.json", []byte(`{"region":"r-1","bms":false,"access_key":"AK","secret_key":"SK"}`))
	require.NoError(t, err)
	require.Equal(t, "r-1", config.Region)
	require.False(t, *config.BMS)
	require.Equal(t, "SK", keys.SecretKey.Reveal())
	config, keys, err = AgentConfig("fleet.json", []byte(`{}`))
	require.NoError(t, err)
	require.Nil(t, config)
	require.Zero(t, keys)
	for text, want := range map[string]string{
		`{"instance_id":"i-1"}`:        "fleet.json instance_id: belongs to one host",
		`{"region":"a","region":"b"}`:  "fleet.json region: the key is there twice",
		`{"secret_key":"hunter2"}`:     "fleet.json access_key: is missing",
		`{"access_key":"hunter2","a":`: "fleet.json a: ends too early",
		`["hunter2"]`:                  "fleet.json document: must be an object",
		``:                             "fleet.json document: is empty",
	} {
		_, _, err := AgentConfig("fleet.json", []byte(text))
		told(t, err, want)
	}
}
