package sdk

import (
	"net/http"
	"strings"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/ces/v3/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wrongType is a word that the SDK has no constant for.
func wrongType(t *testing.T, word string) (v taskType) {
	t.Helper()
	require.NoError(t, v.UnmarshalJSON([]byte(`"`+word+`"`)))
	return v
}

// TestErrors: what is refused comes to the SDK's user as a code, a message and
// a request id, and nothing is created.
func TestErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token, elsewhere := r.token("contract"), strings.Repeat("f", 32)
	d := r.serve()
	c := client{t, d.withToken(project, token)}

	ids := func(n int, id string) *[]string {
		list := make([]string, n)
		for i := range list {
			list[i] = id
		}
		return &list
	}
	bad := remote("bad", newHost(t))
	bad.Port = ptr("99999")
	nobody := remote("nobody", newHost(t))
	nobody.UserName = ptr("")
	for name, tc := range map[string]struct {
		body   taskRequest
		status int
		code   string
		path   string // of the fault
	}{
		"no hosts":       {taskRequest{InvocationType: types.REMOTE_INSTALL}, 400, "ces.0014", "remote_install_meta"},
		"unknown type":   {taskRequest{InvocationType: wrongType(t, "REINSTALL")}, 400, "ces.0014", "invocation_type"},
		"no instances":   {taskRequest{InvocationType: types.SET_REMOTE_INSTALLER}, 400, "ces.0014", "instance_ids"},
		"an empty list":  {taskRequest{InvocationType: types.INSTALL, InstanceIds: ids(0, "")}, 400, "ces.0014", "instance_ids"},
		"101 instances":  {taskRequest{InvocationType: types.INSTALL, InstanceIds: ids(101, "i-1")}, 400, "ces.0014", "instance_ids"},
		"a bad instance": {taskRequest{InvocationType: types.INSTALL, InstanceIds: ids(1, "a_b")}, 400, "ces.0014", "instance_ids[0]"},
		"a bad version": {taskRequest{InvocationType: types.INSTALL, InstanceIds: ids(1, "i-1"), Version: ptr("1.0; reboot")},
			400, "ces.0014", "version"},
		"a long version": {taskRequest{InvocationType: types.INSTALL, InstanceIds: ids(1, "i-1"), Version: ptr(strings.Repeat("1", 65))},
			400, "ces.0014", "version"},
		"a bad port": {taskRequest{InvocationType: types.REMOTE_INSTALL, RemoteInstallMeta: ptr([]remoteHost{bad})},
			400, "ces.0014", "remote_install_meta[0].port"},
		"no user": {taskRequest{InvocationType: types.REMOTE_INSTALL, RemoteInstallMeta: ptr([]remoteHost{nobody})},
			400, "ces.0014", "remote_install_meta[0].user_name"},
		"too large": {taskRequest{InvocationType: types.INSTALL, InstanceIds: ids(1, strings.Repeat("x", 3<<20))},
			http.StatusRequestEntityTooLarge, "APIGW.0201", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.BatchCreateAgentInvocations(&model.BatchCreateAgentInvocationsRequest{Body: &tc.body})
			e := refused(t, err, tc.status, tc.code)
			assert.Contains(t, e.ErrorMessage, tc.path)
			assert.NotContains(t, e.ErrorMessage, password)
		})
	}

	for name, tc := range map[string]struct {
		query query
		code  string
	}{
		"offset":        {query{Offset: ptr(int64(-1))}, "ces.0006"},
		"limit 0":       {query{Limit: ptr(int32(0))}, "ces.0006"},
		"limit 101":     {query{Limit: ptr(int32(101))}, "ces.0006"},
		"instance_id":   {query{InstanceId: ptr("a b")}, "ces.0013"},
		"invocation_id": {query{InvocationId: ptr("-1")}, "ces.0013"},
	} {
		t.Run("list/"+name, func(t *testing.T) {
			_, err := c.ListAgentInvocations(&tc.query)
			refused(t, err, http.StatusBadRequest, tc.code)
		})
	}

	for name, tc := range map[string]struct {
		project, token string
		status         int
		code           string
	}{
		"unknown token":   {project, "not-" + token, http.StatusUnauthorized, "ces.0015"},
		"no token":        {project, "", http.StatusUnauthorized, "ces.0015"},
		"another project": {elsewhere, token, http.StatusForbidden, "ces.0017"},
		"a bad project":   {"a b", token, http.StatusBadRequest, "ces.0003"},
	} {
		t.Run("auth/"+name, func(t *testing.T) {
			_, err := d.withToken(tc.project, tc.token).ListAgentInvocations(&query{})
			refused(t, err, tc.status, tc.code)
		})
	}

	_, count := c.list(query{})
	assert.Zero(t, count, "something was created")
}

// TestItemErrors: what is well formed and cannot be done is told per item, and
// does not keep the others back.
func TestItemErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token("contract")
	d := r.serve("--target-deny", "127.0.0.2")
	c := client{t, d.withToken(project, token)}

	results := c.create(taskRequest{InvocationType: types.SET_REMOTE_INSTALLER, InstanceIds: &[]string{"nobody-knows-it"}})
	require.Len(t, results, 1)
	assert.Equal(t, retStatuses.ERROR, *results[0].RetStatus)
	assert.Equal(t, "nobody-knows-it", *results[0].InstanceId)

	denied := remote("denied", newHost(t))
	denied.RemoteIp = ptr("127.0.0.2")
	results = c.create(taskRequest{
		InvocationType:    types.REMOTE_INSTALL,
		RemoteInstallMeta: ptr([]remoteHost{denied, remote("taken", newHost(t))}),
	})
	require.Len(t, results, 2, "one per entry, in the order of the request")
	assert.Equal(t, retStatuses.ERROR, *results[0].RetStatus)
	assert.Equal(t, retStatuses.SUCCESSFUL, *results[1].RetStatus)
	_, count := c.list(query{})
	assert.EqualValues(t, 1, count)
}
