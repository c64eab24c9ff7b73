package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

func TestListFiltersAndPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var made []api.Result
	for _, n := range []int{3, 2} {
		made = append(made, r.send(http.MethodPost, create, remoteInstall(entries(n)...)).created(t).Invocations...)
	}
	r.finishAll(installer.Succeeded)
	set := r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": "SET_REMOTE_INSTALLER", "instance_ids": []string{made[0].InstanceID}})).created(t).Invocations[0]

	for query, want := range map[string]int{
		"":                                                  6,
		"?invocation_id=" + made[1].InvocationID:            1,
		"?invocation_id=nobody":                             0,
		"?instance_id=" + made[0].InstanceID:                3,
		"?instance_id=nobody":                               0,
		"?invocation_type=SET_REMOTE_INSTALLER":             1,
		"?invocation_type=SET_REMOTE_INSTALL_HOST":          1,
		"?invocation_type=UPDATE":                           0,
		"?invocation_target=telescope":                      6,
		"?invocation_target=other":                          0,
		"?instance_type=ECS":                                6,
		"?instance_type=BMS":                                0,
		"?status=SUCCEEDED":                                 5,
		"?status=PENDING":                                   1,
		"?status=PENDING&instance_id=" + made[1].InstanceID: 0,
		"?status=PENDING&invocation_type=SET_REMOTE_INSTALLER&limit=1":    1,
		"?invocation_id=" + made[1].InvocationID + "&status=PENDING":      0,
		"?invocation_id=" + made[1].InvocationID + "&limit=10&offset=0":   1,
		"?instance_id=" + made[0].InstanceID + "&invocation_type=INSTALL": 0,
	} {
		list := r.list(query)
		require.Len(t, list.Invocations, want, query)
		require.EqualValues(t, want, list.Count, query)
	}

	all := r.list("").Invocations
	require.Equal(t, set.InvocationID, all[0].InvocationID, "newest first")
	for i, item := range all {
		page := r.list(fmt.Sprintf("?limit=1&offset=%d", i))
		require.EqualValues(t, 6, page.Count, "all that match, not only this page")
		require.Equal(t, []api.Item{item}, page.Invocations)
	}
	for _, offset := range []string{"6", "7", "9999999999999"} {
		a := r.send(http.MethodGet, listing+"?offset="+offset, "")
		require.JSONEq(t, `{"invocations":[],"count":6}`, a.body)
	}
}

func (r *rig) list(query string) api.List {
	r.t.Helper()
	a := r.send(http.MethodGet, listing+query, "", "Content-Type", "application/json") // as the SDK sends it
	require.Equal(r.t, http.StatusOK, a.status, a.body)
	var l api.List
	require.NoError(r.t, json.Unmarshal([]byte(a.body), &l))
	return l
}

func TestListRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for query, code := range map[string]api.Code{
		"limit=0": api.CodePaging, "limit=101": api.CodePaging, "limit=": api.CodePaging, "limit=+1": api.CodePaging,
		"limit=1.5": api.CodePaging, "limit=%201": api.CodePaging, "limit=１": api.CodePaging, "offset=-1": api.CodePaging,
		"offset=10000000000000": api.CodePaging, "offset=99999999999999999999999": api.CodePaging, "offset=x": api.CodePaging,
		"limit=1&limit=2":     api.CodeURLParameter,
		"instance_id=":        api.CodeURLParameter,
		"instance_id=a_b":     api.CodeURLParameter,
		"instance_id=%00":     api.CodeURLParameter,
		"invocation_id=-a":    api.CodeURLParameter,
		"invocation_id=a%2Fb": api.CodeURLParameter,
		"instance_type=VM":    api.CodeURLParameter,
		"invocation_type=X":   api.CodeURLParameter,
		"invocation_target=A": api.CodeURLParameter,
		"status=DONE":         api.CodeURLParameter,
		"invocation_ids=a":    api.CodeURLParameter,
		"Limit=1":             api.CodeURLParameter,
		"a=1;b=2":             api.CodeURLParameter,
		"limit=%zz":           api.CodeURLParameter,
	} {
		if query == "limit=1&limit=2" {
			code = api.CodePaging
		}
		a := r.send(http.MethodGet, listing+"?"+query, "")
		a.refused(t, http.StatusBadRequest, code)
	}
	a := r.send(http.MethodGet, listing+"?limit=0&status=DONE&instance_type=VM", "")
	for _, name := range []string{"limit: ", "status: ", "instance_type: "} {
		require.Contains(t, a.err.Msg, name, "all at once")
	}
}

func TestItemsHaveEveryField(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t)
	a := r.send(http.MethodGet, listing, "")
	var got struct {
		Invocations []map[string]any `json:"invocations"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &got))
	item := got.Invocations[0]
	for _, field := range []string{"invocation_id", "instance_id", "instance_name", "instance_type", "invocation_type", "invocation_status", "invocation_target", "current_version", "target_version", "create_time", "update_time", "result_msg"} {
		require.NotEmpty(t, item[field], field)
	}
	require.Equal(t, []any{"10.0.0.1"}, item["intranet_ips"])
	require.Equal(t, []any{}, item["elastic_ips"], "never null")
	require.NotContains(t, a.body, "correct horse")
	require.False(t, strings.Contains(a.body, "\\u003c"))
}

// TestListsAreNeverNull: of a host whose addresses nobody knows, too.
func TestListsAreNeverNull(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{{
		Host:        installer.Host{ID: "named", Endpoint: installer.Endpoint{Address: "web.example.com", Port: 22, User: "root"}},
		Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("x")}},
	}}))
	r.stored(r.ask("INSTALL", nil, "named")[0])
	a := r.send(http.MethodGet, listing, "")
	require.Contains(t, a.body, `"intranet_ips":[],"elastic_ips":[]`)
	require.Contains(t, a.body, `"instance_name":"web.example.com"`)
	require.Contains(t, r.send(http.MethodGet, listing+"?offset=9", "").body, `"invocations":[]`)
	require.Contains(t, r.send(http.MethodPost, statuses, `{"instance_ids":["a"],"uniagent_status":"running"}`).body, `"agent_status":[]`)
}
