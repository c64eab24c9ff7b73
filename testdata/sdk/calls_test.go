package sdk

import (
	"net/http"
	"testing"
	"unicode/utf8"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	ces "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/ces/v3"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/ces/v3/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Short names for what the SDK generates.
type (
	taskRequest = model.BatchCreateInvocationRequestBody
	taskType    = model.BatchCreateInvocationRequestBodyInvocationType
	result      = model.BatchCreateInvocationInfo
	item        = model.InvocationInfo
	query       = model.ListAgentInvocationsRequest
	statusQuery = model.ListAgentStatusRequestBody
	agentStatus = model.AgentStatusInfo
	remoteHost  = model.RemoteInstallHostInfo
)

var (
	types       = model.GetBatchCreateInvocationRequestBodyInvocationTypeEnum()
	targets     = model.GetBatchCreateInvocationRequestBodyInvocationTargetEnum()
	editions    = model.GetBatchCreateInvocationRequestBodyVersionTypeEnum()
	origins     = model.GetBatchCreateInvocationRequestBodyOriginEnum()
	retStatuses = model.GetBatchCreateInvocationInfoRetStatusEnum()
	states      = model.GetInvocationInfoInvocationStatusEnum()
)

// client is the SDK with the checks that every answer must pass.
type client struct {
	t *testing.T
	*ces.CesClient
}

// create asks for tasks and returns the items' results.
func (c client) create(body taskRequest) []result {
	c.t.Helper()
	answer, err := c.BatchCreateAgentInvocations(&model.BatchCreateAgentInvocationsRequest{Body: &body})
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusCreated, answer.HttpStatusCode)
	results := value(c.t, "invocations", answer.Invocations)
	for _, r := range results {
		c.checkResult(r)
	}
	return results
}

func (c client) checkResult(r result) {
	c.t.Helper()
	if r.InstanceId != nil || r.InvocationId == nil { // a RETRY of nothing knows no instance
		assert.Regexp(c.t, `^[a-zA-Z0-9-]{1,64}$`, value(c.t, "instance_id", r.InstanceId))
	}
	switch value(c.t, "ret_status", r.RetStatus) {
	case retStatuses.SUCCESSFUL:
		assert.Regexp(c.t, `^[a-zA-Z0-9-]{1,64}$`, value(c.t, "invocation_id", r.InvocationId))
		assert.Nil(c.t, r.ErrorCode)
	case retStatuses.ERROR:
		assert.Regexp(c.t, `^invocationmgr\.[0-9]{4}$`, value(c.t, "error_code", r.ErrorCode))
		c.checkLength(128, "error_msg", r.ErrorMsg)
	default:
		c.t.Errorf("ret_status %q is none of the SDK's", r.RetStatus.Value())
	}
}

// start asks for tasks that must all be taken, and returns their ids.
func (c client) start(body taskRequest) []string {
	c.t.Helper()
	results := c.create(body)
	ids := make([]string, len(results))
	for i, r := range results {
		require.Equal(c.t, retStatuses.SUCCESSFUL, *r.RetStatus, "%v", r)
		ids[i] = *r.InvocationId
	}
	return ids
}

// list returns a page and how many match in all.
func (c client) list(q query) ([]item, int64) {
	c.t.Helper()
	answer, err := c.ListAgentInvocations(&q)
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, answer.HttpStatusCode)
	items := value(c.t, "invocations", answer.Invocations)
	for _, i := range items {
		c.checkItem(i)
	}
	return items, value(c.t, "count", answer.Count)
}

// checkItem holds an item against the API's ranges. A field that the
// Terraform provider's own test wants set is never empty.
func (c client) checkItem(i item) {
	c.t.Helper()
	assert.Regexp(c.t, `^[0-9A-Za-z][0-9A-Za-z_-]*$`, value(c.t, "invocation_id", i.InvocationId))
	assert.Regexp(c.t, `^[a-zA-Z0-9-]{1,64}$`, value(c.t, "instance_id", i.InstanceId))
	c.checkLength(128, "instance_name", i.InstanceName)
	instanceTypes := model.GetInvocationInfoInstanceTypeEnum()
	assert.Contains(c.t, []any{instanceTypes.ECS, instanceTypes.BMS}, value(c.t, "instance_type", i.InstanceType))
	value(c.t, "intranet_ips", i.IntranetIps)
	value(c.t, "elastic_ips", i.ElasticIps)
	all := model.GetInvocationInfoInvocationTypeEnum()
	assert.Contains(c.t, []any{all.INSTALL, all.UPDATE, all.ROLLBACK, all.RETRY, all.SET_REMOTE_INSTALLER, all.REMOTE_INSTALL},
		value(c.t, "invocation_type", i.InvocationType))
	assert.Contains(c.t, []any{states.PENDING, states.RUNNING, states.TIMEOUT, states.FAILED, states.SUCCEEDED, states.CANCELED, states.ROLLBACKED},
		value(c.t, "invocation_status", i.InvocationStatus))
	assert.Equal(c.t, "telescope", value(c.t, "invocation_target", i.InvocationTarget).Value())
	for what, at := range map[string]*int64{"create_time": i.CreateTime, "update_time": i.UpdateTime} {
		ms := value(c.t, what, at)
		assert.True(c.t, ms >= 1111111111111 && ms <= 9999999999999, "%s %d is not in milliseconds", what, ms)
	}
	if i.CurrentVersion != nil {
		c.checkLength(64, "current_version", i.CurrentVersion)
	}
	c.checkLength(64, "target_version", i.TargetVersion)
	c.checkLength(5000, "result_msg", i.ResultMsg)
}

// checkLength holds a text against the API's range, 1–most characters.
func (c client) checkLength(most int, what string, text *string) {
	c.t.Helper()
	n := utf8.RuneCountInString(value(c.t, what, text))
	assert.True(c.t, n >= 1 && n <= most, "%s has %d characters", what, n)
}

// invocation is one, by its id.
func (c client) invocation(id string) item {
	c.t.Helper()
	items, count := c.list(query{InvocationId: &id})
	require.Len(c.t, items, 1)
	require.EqualValues(c.t, 1, count)
	require.Equal(c.t, id, *items[0].InvocationId)
	return items[0]
}

// ended waits until each has ended, and returns them.
func (c client) ended(ids ...string) []item {
	c.t.Helper()
	items := make([]item, len(ids))
	for i, id := range ids {
		eventually(c.t, id+" ends", func() bool {
			items[i] = c.invocation(id)
			s := *items[i].InvocationStatus
			return s != states.PENDING && s != states.RUNNING
		})
	}
	return items
}

// succeeds asks for tasks and waits until each has succeeded.
func (c client) succeeds(body taskRequest) []item {
	c.t.Helper()
	items := c.ended(c.start(body)...)
	for _, i := range items {
		require.Equal(c.t, states.SUCCEEDED, *i.InvocationStatus, "%s", *i.ResultMsg)
		require.Equal(c.t, body.InvocationType.Value(), i.InvocationType.Value())
	}
	return items
}

// statuses asks what is known of agents, and checks that each server asked
// for has a row.
func (c client) statuses(q statusQuery) []agentStatus {
	c.t.Helper()
	answer, err := c.ListAgentStatus(&model.ListAgentStatusRequest{Body: &q})
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, answer.HttpStatusCode)
	return value(c.t, "agent_status", answer.AgentStatus)
}

// refused is the error that the SDK makes of an answer, with both its fields
// and the request id.
func refused(t *testing.T, err error, status int, code string) *sdkerr.ServiceResponseError {
	t.Helper()
	var e *sdkerr.ServiceResponseError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, status, e.StatusCode, "%v", err)
	assert.Equal(t, code, e.ErrorCode, "%v", err)
	assert.NotEmpty(t, e.ErrorMessage)
	assert.NotContains(t, e.ErrorMessage, `"error_code"`, "the SDK could not read the body")
	assert.NotEmpty(t, e.RequestId)
	return e
}
