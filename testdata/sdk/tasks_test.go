package sdk

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// TestTasks is what somebody does with the API who has hosts, one after the
// other: every type of task, with real work on every host.
func TestTasks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token("contract")
	d := r.serve("--package", agent.Build(t, agent.Options{Version: "1.2.3"}))
	c := client{t, d.withToken(project, token)}

	first, second := newHost(t), newHost(t)
	items := c.succeeds(taskRequest{
		InvocationType:    types.REMOTE_INSTALL,
		InvocationTarget:  &targets.TELESCOPE,
		VersionType:       &editions.BASIC_VERSION,
		Origin:            &origins.CES,
		RemoteInstallMeta: ptr([]remoteHost{remote("first", first)}),
	})
	assert.Equal(t, "1.2.3", *items[0].TargetVersion)
	assert.Equal(t, "first", *items[0].InstanceName)
	assert.Equal(t, []string{"127.0.0.1"}, *items[0].IntranetIps)
	gateway := *items[0].InstanceId

	c.succeeds(taskRequest{InvocationType: types.SET_REMOTE_INSTALLER, InstanceIds: &[]string{gateway}})
	c.succeeds(taskRequest{
		InvocationType:    types.REMOTE_INSTALL,
		Origin:            &origins.APICOM_BMS,
		RemoteInstallMeta: ptr([]remoteHost{remote("second", second)}),
	})
	require.Contains(t, first.Counts().Forwards, second.Addr(), "not through the remote installer")
}
