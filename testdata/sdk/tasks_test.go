package sdk

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest"
	"tripod/testdata/agent"
)

// packages fills the package store: two basic versions, one advanced.
func (r *rig) packages() {
	r.t.Helper()
	for _, p := range []struct{ edition, version string }{{"basic", "1.2.3"}, {"basic", "2.0.0"}, {"advance", "2.1.0"}} {
		r.must("packages", "add", "--edition", p.edition, agent.Build(r.t, agent.Options{Version: p.version}))
	}
}

// TestTasks is what somebody does with the API who has hosts, one after the other: every
// type of task, with real work on every host. It signs, as every program does that uses
// the SDK; TestCrashedAgent and TestStoppedAgent have a token.
func TestTasks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("contract")
	r.packages()
	d := r.serve()
	c := client{t, d.withKey(project, key)}
	first, second := newHost(t), newHost(t)
	remoteInstall := func(name string, host *sshtest.Server) taskRequest {
		return taskRequest{
			InvocationType:    types.REMOTE_INSTALL,
			InvocationTarget:  &targets.TELESCOPE,
			VersionType:       &editions.BASIC_VERSION,
			Version:           ptr("1.2.3"),
			Origin:            &origins.CES,
			RemoteInstallMeta: ptr([]remoteHost{remote(name, host)}),
		}
	}

	// REMOTE_INSTALL makes a host known.
	items := c.succeeds(remoteInstall("first", first))
	assert.Equal(t, "1.2.3", *items[0].TargetVersion)
	assert.Equal(t, "first", *items[0].InstanceName)
	assert.Equal(t, []string{"127.0.0.1"}, *items[0].IntranetIps)
	firstID := *items[0].InstanceId

	// SET_REMOTE_INSTALLER: the next host is reached through it.
	items = c.succeeds(taskRequest{InvocationType: types.SET_REMOTE_INSTALLER, InstanceIds: &[]string{firstID}})
	assert.Equal(t, firstID, *items[0].InstanceId)

	// RETRY of what has failed, and of nothing else.
	second.Inject(sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Refuse, Match: "password", Times: 1})
	failed := c.ended(c.start(remoteInstall("second", second))...)[0]
	require.Equal(t, states.FAILED, *failed.InvocationStatus, "%s", *failed.ResultMsg)
	require.Contains(t, first.Counts().Forwards, second.Addr(), "not through the remote installer")
	secondID := *failed.InstanceId
	results := c.create(taskRequest{InvocationType: types.RETRY, InvocationIds: &[]string{*failed.InvocationId, *items[0].InvocationId}})
	require.Len(t, results, 2)
	require.Equal(t, retStatuses.SUCCESSFUL, *results[0].RetStatus, "%v", results[0])
	assert.Equal(t, retStatuses.ERROR, *results[1].RetStatus)
	retried := c.ended(*results[0].InvocationId)[0]
	require.Equal(t, states.SUCCEEDED, *retried.InvocationStatus, "%s", *retried.ResultMsg)
	assert.Equal(t, "RETRY", retried.InvocationType.Value())
	assert.Equal(t, secondID, *retried.InstanceId)
	assert.Equal(t, "1.2.3", *retried.TargetVersion)
	assert.Equal(t, states.FAILED, *c.invocation(*failed.InvocationId).InvocationStatus)

	// ROLLBACK of an installation uninstalls, and INSTALL puts it there again:
	// the newest of the edition.
	c.succeeds(taskRequest{InvocationType: types.ROLLBACK, InvocationIds: &[]string{*retried.InvocationId}, Origin: &origins.APICOM_BMS})
	assert.Equal(t, states.ROLLBACKED, *c.invocation(*retried.InvocationId).InvocationStatus)
	c.hasAgent(secondID, "none", "none", "")
	require.NoFileExists(t, second.Path("usr", "local", "telescope", "bin", "telescope"))
	items = c.succeeds(taskRequest{
		InvocationType: types.INSTALL, InstanceIds: &[]string{secondID},
		VersionType: &editions.ADVANCE_VERSION, Origin: &origins.ADMIN_SERVER,
	})
	assert.Equal(t, "2.1.0", *items[0].TargetVersion)
	c.hasAgent(secondID, "running", "running", "2.1.0")

	// UPDATE, and ROLLBACK to the version before it, once.
	items = c.succeeds(taskRequest{InvocationType: types.UPDATE, InstanceIds: &[]string{firstID}, VersionType: &editions.BASIC_VERSION})
	assert.Equal(t, "1.2.3", value(t, "current_version", items[0].CurrentVersion))
	assert.Equal(t, "2.0.0", *items[0].TargetVersion)
	c.hasAgent(firstID, "running", "running", "2.0.0")
	update := *items[0].InvocationId
	rollback := taskRequest{InvocationType: types.ROLLBACK, InvocationIds: &[]string{update}}
	items = c.succeeds(rollback)
	assert.Equal(t, "1.2.3", *items[0].TargetVersion)
	assert.Equal(t, states.ROLLBACKED, *c.invocation(update).InvocationStatus)
	c.hasAgent(firstID, "running", "running", "1.2.3")
	assert.Equal(t, retStatuses.ERROR, *c.create(rollback)[0].RetStatus)

	askStatuses(c, firstID)
}
