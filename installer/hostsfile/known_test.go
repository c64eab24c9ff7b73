package hostsfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// What a CSV and a JSON say of known hosts is the same.
func TestKnownHosts(t *testing.T) {
	t.Parallel()
	const csv = "address,instance_id,instance_type,labels,intranet_ips,elastic_ips\n" +
		"192.0.2.1,i-1,bms,env=prod; rack/row = 7 ;spare,10.0.0.1;::ffff:10.0.0.2,\"8.8.8.8,2001:DB8::1\"\n" +
		"192.0.2.2,,,,,\n"
	const json = `[{"remote_ip":"192.0.2.1","instance_id":"i-1","instance_type":"BMS",
		"labels":{"env":"prod","rack/row":"7","spare":""},"intranet_ips":["10.0.0.1","::ffff:10.0.0.2"],"elastic_ips":["8.8.8.8","2001:DB8::1"]},
		{"remote_ip":"192.0.2.2"}]`
	for name, text := range map[string]string{"csv": csv, "json": json} {
		entries, err := parse(text, FormatAuto, Defaults{})
		require.NoError(t, err, name)
		require.Len(t, entries, 2)
		h := entries[0].Host
		assert.Equal(t, "i-1", h.ID, name)
		assert.Equal(t, installer.BMS, h.Type, name)
		assert.Equal(t, map[string]string{"env": "prod", "rack/row": "7", "spare": ""}, h.Labels, name)
		assert.Equal(t, []string{"10.0.0.1", "10.0.0.2"}, h.IntranetIPs, name)
		assert.Equal(t, []string{"8.8.8.8", "2001:db8::1"}, h.ElasticIPs, name)
		h = entries[1].Host
		assert.Equal(t, installer.InstanceID(installer.DefaultProject, "192.0.2.2", 22), h.ID, name)
		assert.Equal(t, installer.ECS, h.Type, name)
		assert.Nil(t, h.Labels, name)
		assert.Nil(t, h.IntranetIPs, name)
	}
}

func TestKnownHostsFaults(t *testing.T) {
	t.Parallel()
	_, err := parse(strings.Join([]string{
		"ip,instance_id,type,labels,intranet_ips,elastic_ips",
		"192.0.2.1,i_1,VM,,,",
		"192.0.2.2,,,Env=hunter2,,",
		"192.0.2.3,,,a=1;a=2,,",
		"192.0.2.4,,,,10.0.0,fe80::1%eth0",
		"192.0.2.5,i-5,,a=" + strings.Repeat("x", 129) + ",,",
		"192.0.2.6,i-6,,,,",
		"192.0.2.7,i-6,,,,",
		"192.0.2.6,i-7,,,,",
		"192.0.2.[8-9],,,env=prod,,",
	}, "\n"), FormatAuto, Defaults{})
	told(t, err,
		"hosts:2 instance_id: must be 1–64 letters", "hosts:2 type: must be ECS or BMS",
		"hosts:3 labels: a label's name has 1 to 63", "hosts:4 labels: has a name twice",
		"hosts:5 intranet_ips: must be an IP address", "hosts:5 elastic_ips: must be an IP address",
		"hosts:6 labels: a label's value has at most 128",
		"hosts:8: the instance_id is there already: hosts:7", "hosts:9: 192.0.2.6:22 is there already: hosts:7",
	)
	_, err = parse(`[{"remote_ip":"192.0.2.1","instance_id":"","instance_type":"VM","labels":{"Env":"hunter2","a":1},
		"intranet_ips":["10.0.0"],"elastic_ips":"8.8.8.8"},{"remote_ip":"192.0.2.2","labels":[]}]`, FormatAuto, Defaults{})
	told(t, err,
		"hosts [0].labels.Env: a label's name has", "hosts [0].labels.a: must be a string, not a number",
		"hosts [0].elastic_ips: must be an array", "hosts [0].instance_id: must be 1–64 letters",
		"hosts [0].instance_type: must be ECS or BMS", "hosts [0].intranet_ips[0]: must be an IP address",
		"hosts [1].labels: must be an object, not an array",
	)
}
