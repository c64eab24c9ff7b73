package sdk

import (
	"fmt"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/ces/v3/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestList: pages, and every filter with every value that the SDK has for it.
func TestList(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token("contract")
	d := r.serve()
	c := client{t, d.withToken(project, token)}

	// Nothing listens there: each ends, without having done anything.
	const hosts = 25
	var meta []remoteHost
	dead := newHost(t)
	dead.Stop()
	for i := range hosts {
		h := remote(fmt.Sprintf("host-%02d", i), dead)
		h.RemoteIp = ptr(fmt.Sprintf("127.0.1.%d", i+1))
		meta = append(meta, h)
	}
	ids := c.start(taskRequest{InvocationType: types.REMOTE_INSTALL, RemoteInstallMeta: &meta})

	all, count := c.list(query{})
	require.EqualValues(t, hosts, count)
	require.Len(t, all, hosts)
	seen := map[string]bool{}
	for offset := 0; offset < hosts; offset += 10 {
		page, count := c.list(query{Offset: ptr(int64(offset)), Limit: ptr(int32(10))})
		assert.EqualValues(t, hosts, count, "all that match, not only this page")
		assert.Len(t, page, min(10, hosts-offset))
		for i, item := range page {
			assert.Equal(t, *all[offset+i].InvocationId, *item.InvocationId)
			seen[*item.InvocationId] = true
		}
	}
	for _, id := range ids {
		assert.True(t, seen[id], "%s is on no page", id)
	}
	for i := 1; i < len(all); i++ {
		assert.GreaterOrEqual(t, *all[i-1].CreateTime, *all[i].CreateTime, "newest first")
	}
	for _, far := range []int64{hosts, 9999999999999} {
		page, count := c.list(query{Offset: &far})
		assert.Empty(t, page, "past the end the list is empty")
		assert.EqualValues(t, hosts, count)
	}

	one := all[7]
	page, count := c.list(query{InstanceId: one.InstanceId})
	require.Len(t, page, 1)
	assert.EqualValues(t, 1, count)
	assert.Equal(t, one.InvocationId, page[0].InvocationId)
	page, _ = c.list(query{InvocationId: ptr("01ARZ3NDEKTSV4RRFFQ69G5FAV")})
	assert.Empty(t, page)

	it := model.GetListAgentInvocationsRequestInstanceTypeEnum()
	_, ecs := c.list(query{InstanceType: &it.ECS})
	_, bms := c.list(query{InstanceType: &it.BMS})
	assert.Equal(t, []int64{hosts, 0}, []int64{ecs, bms})
	target := model.GetListAgentInvocationsRequestInvocationTargetEnum()
	_, count = c.list(query{InvocationTarget: &target.TELESCOPE})
	assert.EqualValues(t, hosts, count)
	kinds := model.GetListAgentInvocationsRequestInvocationTypeEnum()
	for _, kind := range []model.ListAgentInvocationsRequestInvocationType{
		kinds.INSTALL, kinds.UPDATE, kinds.ROLLBACK, kinds.RETRY, kinds.SET_REMOTE_INSTALLER, kinds.REMOTE_INSTALL,
	} {
		want := 0
		if kind == kinds.REMOTE_INSTALL {
			want = hosts
		}
		page, count = c.list(query{InvocationType: &kind})
		assert.EqualValues(t, want, count, kind.Value())
		assert.Len(t, page, want, kind.Value())
	}
}
