package sdk

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/ces/v3/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest/container"
)

// askStatuses asks for the most servers that may be asked for, one of which
// runs the agent, and for some of them with every filter.
func askStatuses(c client, running string) {
	t := c.t
	ids := []string{running}
	for i := 1; i < 2000; i++ {
		ids = append(ids, fmt.Sprintf("never-seen-%d", i))
	}
	rows := c.statuses(statusQuery{InstanceIds: ids})
	require.Len(t, rows, 2000, "every server asked for has a row")
	row := rows[0]
	assert.Equal(t, running, *row.InstanceId)
	assert.Equal(t, "running", row.UniagentStatus.Value())
	assert.Equal(t, "running", extensionOf(t, row).Status.Value())
	assert.Equal(t, "unknown", rows[1].UniagentStatus.Value())
	assert.Equal(t, "unknown", extensionOf(t, rows[1]).Status.Value())

	ids = ids[:3]
	askFilters(c, ids)
	name := model.GetListAgentStatusRequestBodyExtensionNameEnum()
	assert.Len(t, c.statuses(statusQuery{InstanceIds: ids, ExtensionName: &name.TELESCOPE}), 3)

	for _, bad := range [][]string{{}, {"a_b"}, make([]string, 2001)} {
		_, err := c.ListAgentStatus(&model.ListAgentStatusRequest{Body: &statusQuery{InstanceIds: bad}})
		e := refused(t, err, http.StatusBadRequest, "ces.0014")
		assert.Contains(t, e.ErrorMessage, "instance_ids")
	}
}

// askFilters asks for servers with every value that the SDK has for either filter of a
// state: each finds the rows that have it, of those that come without a filter.
func askFilters(c client, ids []string) {
	t := c.t
	t.Helper()
	all := c.statuses(statusQuery{InstanceIds: ids})
	found := func(q statusQuery, state string, of func(agentStatus) string) {
		t.Helper()
		q.InstanceIds = ids
		others := func(row agentStatus) bool { return of(row) != state }
		assert.Equal(t, slices.DeleteFunc(slices.Clone(all), others), c.statuses(q), "%v", q)
	}
	uniagent := model.GetListAgentStatusRequestBodyUniagentStatusEnum()
	for _, v := range []model.ListAgentStatusRequestBodyUniagentStatus{uniagent.NONE, uniagent.RUNNING, uniagent.SILENT, uniagent.UNKNOWN} {
		found(statusQuery{UniagentStatus: &v}, v.Value(), func(row agentStatus) string { return row.UniagentStatus.Value() })
	}
	extensions := model.GetListAgentStatusRequestBodyExtensionStatusEnum()
	for _, v := range []model.ListAgentStatusRequestBodyExtensionStatus{
		extensions.NONE, extensions.RUNNING, extensions.STOPPED, extensions.FAULT, extensions.UNKNOWN,
	} {
		found(statusQuery{ExtensionStatus: &v}, v.Value(), func(row agentStatus) string { return extensionOf(t, row).Status.Value() })
	}
}

// hasAgent checks what agent-status says of one server, beside one that nobody knows:
// without a filter, and with every one.
func (c client) hasAgent(instance, uniagent, extension, version string) {
	c.t.Helper()
	ids := []string{instance, "never-seen"}
	rows := c.statuses(statusQuery{InstanceIds: ids})
	require.Len(c.t, rows, 2)
	assert.Equal(c.t, instance, *rows[0].InstanceId)
	assert.Equal(c.t, uniagent, rows[0].UniagentStatus.Value())
	is := extensionOf(c.t, rows[0])
	assert.Equal(c.t, extension, is.Status.Value())
	if version == "" {
		assert.Nil(c.t, is.Version)
	} else {
		assert.Equal(c.t, version, value(c.t, "version", is.Version))
	}
	askFilters(c, ids)
}

// extensionOf is a row's only extension.
func extensionOf(t *testing.T, row agentStatus) model.ExtensionInfo {
	t.Helper()
	all := value(t, "extensions", row.Extensions)
	require.Len(t, all, 1)
	assert.Equal(t, "telescope", *all[0].Name)
	return all[0]
}

// TestCrashedAgent: an agent that should run and does not, as the next look finds it.
func TestCrashedAgent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token("contract")
	r.packages()
	d := r.serve()
	c := client{t, d.withToken(project, token)}
	host := newHost(t)
	id := *c.succeeds(taskRequest{InvocationType: types.REMOTE_INSTALL, RemoteInstallMeta: ptr([]remoteHost{remote("crashed", host)})})[0].InstanceId
	c.hasAgent(id, "running", "running", "2.0.0")

	host.KillProcesses()
	r.must("check", "--known", id, "--server", d.url, "--token-file", r.file("token", token+"\n"))
	c.hasAgent(id, "unknown", "fault", "2.0.0")
}

// TestStoppedAgent: an agent that is stopped on purpose, and is then taken away. On
// real sshd: that a stop is meant is what the init system says, and only there is one.
func TestStoppedAgent(t *testing.T) {
	t.Parallel()
	host := container.Start(t, container.PasswordKind, container.WithPassword(password))
	r := newRig(t)
	token := r.token("contract")
	r.packages()
	d := r.serve()
	c := client{t, d.withToken(project, token)}
	meta := []remoteHost{remoteAt("stopped", host.Endpoint())}
	install := c.succeeds(taskRequest{InvocationType: types.REMOTE_INSTALL, RemoteInstallMeta: &meta})[0]
	id := *install.InstanceId
	c.hasAgent(id, "running", "running", "2.0.0")

	_, err := host.Exec(t.Context(), "sh", "-c", "update-rc.d telescoped disable && service telescoped stop")
	require.NoError(t, err)
	r.must("check", "--known", id, "--server", d.url, "--token-file", r.file("token", token+"\n"))
	c.hasAgent(id, "silent", "stopped", "2.0.0")

	c.succeeds(taskRequest{InvocationType: types.ROLLBACK, InvocationIds: &[]string{*install.InvocationId}})
	_, err = host.Exec(t.Context(), "sh", "-c", "test ! -e /usr/local/telescope && test ! -e /etc/init.d/telescoped")
	require.NoError(t, err, "the agent is still there")
	c.hasAgent(id, "none", "none", "")
}
