package sdk

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/ces/v3/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// askStatuses asks for the most servers that may be asked for, one of which
// runs the agent, and with every filter value that the SDK has.
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
	want := map[string]int{"running": 1, "unknown": 2}
	uniagent := model.GetListAgentStatusRequestBodyUniagentStatusEnum()
	for _, v := range []model.ListAgentStatusRequestBodyUniagentStatus{uniagent.NONE, uniagent.RUNNING, uniagent.SILENT, uniagent.UNKNOWN} {
		rows := c.statuses(statusQuery{InstanceIds: ids, UniagentStatus: &v})
		assert.Len(t, rows, want[v.Value()], v.Value())
		for _, row := range rows {
			assert.Equal(t, v.Value(), row.UniagentStatus.Value())
		}
	}
	extensions := model.GetListAgentStatusRequestBodyExtensionStatusEnum()
	for _, v := range []model.ListAgentStatusRequestBodyExtensionStatus{
		extensions.NONE, extensions.RUNNING, extensions.STOPPED, extensions.FAULT, extensions.UNKNOWN,
	} {
		rows := c.statuses(statusQuery{InstanceIds: ids, ExtensionStatus: &v})
		assert.Len(t, rows, want[v.Value()], v.Value())
		for _, row := range rows {
			assert.Equal(t, v.Value(), extensionOf(t, row).Status.Value())
		}
	}
	name := model.GetListAgentStatusRequestBodyExtensionNameEnum()
	assert.Len(t, c.statuses(statusQuery{InstanceIds: ids, ExtensionName: &name.TELESCOPE}), 3)

	for _, bad := range [][]string{{}, {"a_b"}, make([]string, 2001)} {
		_, err := c.ListAgentStatus(&model.ListAgentStatusRequest{Body: &statusQuery{InstanceIds: bad}})
		e := refused(t, err, http.StatusBadRequest, "ces.0014")
		assert.Contains(t, e.ErrorMessage, "instance_ids")
	}
}

// extensionOf is a row's only extension.
func extensionOf(t *testing.T, row agentStatus) model.ExtensionInfo {
	t.Helper()
	all := value(t, "extensions", row.Extensions)
	require.Len(t, all, 1)
	assert.Equal(t, "telescope", *all[0].Name)
	return all[0]
}

// TestCrashedAgent: an agent that should run and does not, as the next look finds
// it. (One that is stopped on purpose needs an init system to say so: the tests on
// real sshd have one.)
func TestCrashedAgent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token("contract")
	r.catalogue()
	d := r.serve()
	c := client{t, d.withToken(project, token)}
	host := newHost(t)
	id := *c.succeeds(taskRequest{InvocationType: types.REMOTE_INSTALL, RemoteInstallMeta: ptr([]remoteHost{remote("crashed", host)})})[0].InstanceId
	c.hasAgent(id, "running", "2.0.0")

	host.KillProcesses()
	r.must("check", "--known", id, "--server", d.url, "--token-file", r.file("token", token+"\n"))
	fault := model.GetListAgentStatusRequestBodyExtensionStatusEnum().FAULT
	rows := c.statuses(statusQuery{InstanceIds: []string{id}, ExtensionStatus: &fault})
	require.Len(t, rows, 1)
	assert.Equal(t, "unknown", rows[0].UniagentStatus.Value())
	assert.Equal(t, "fault", extensionOf(t, rows[0]).Status.Value())
}
