package api_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

// TestOpenAPIAnswers: the answers' limits are those of the code: what is longest
// fits, and one more does not. (Every answer of every other test is held against
// the document too, see holdAnswer.)
func TestOpenAPIAnswers(t *testing.T) {
	t.Parallel()
	s := readSpec(t)
	long := strings.Repeat("é", 6000)
	id := strings.Repeat("a", 64)
	item := api.ItemOf(&installer.Invocation{
		ID: id, Type: installer.Update, State: installer.Failed, Kind: installer.KindScriptFailed, Message: long, Created: time.UnixMilli(1),
		Host:    installer.Host{ID: id, Name: long},
		Outcome: installer.Outcome{CurrentVersion: long, TargetVersion: long},
	})
	for name, longest := range map[string]any{
		"Item":        item,
		"Result":      api.Result{InstanceID: id, InvocationID: id, RetStatus: api.RetError, ErrorCode: api.ItemNotAllowed, ErrorMsg: long[:2*128]},
		"AgentStatus": api.AgentStatus{InstanceID: id, UniagentStatus: api.UniagentSilent, Extensions: []api.Extension{{Name: "telescope", Status: installer.AgentStopped, Version: item.TargetVersion}}},
		"Extension":   api.Extension{Name: "telescope", Status: installer.AgentStopped, Version: item.TargetVersion},
		"Error":       api.Error{Code: api.CodeBodyInvalid, Msg: long},
		"Health":      api.Health{Status: "ok"},
	} {
		is := s.schema(name)
		good := document(t, asJSON(longest)).(map[string]any)
		require.Empty(t, s.fault(is, good, ""), name)
		for field, v := range good {
			change := func(to any) bool {
				changed := maps.Clone(good)
				changed[field] = to
				return s.accepts(is, changed)
			}
			require.False(t, change(nil), "%s.%s is never null", name, field)
			if v, ok := v.(string); ok {
				require.False(t, change(""), "%s.%s is never empty", name, field)
				unbounded := name == "Error" && field == "error_msg" || field == "invocation_target"
				require.Equal(t, unbounded, change(v+"a"), "%s.%s has %d characters at most", name, field, len([]rune(v)))
			}
		}
		good["another"] = 1
		require.False(t, s.accepts(is, good), name)
	}

	lists := func(name, field string, most int, item any) {
		is := func(n int) bool {
			answer := map[string]any{field: slices.Repeat([]any{document(t, asJSON(item))}, n)}
			if name == "List" {
				answer["count"] = n
			}
			return s.accepts(s.schema(name), answer)
		}
		require.True(t, is(0), name)
		require.True(t, is(most), name)
		require.False(t, is(most+1), name)
	}
	lists("List", "invocations", 100, item)
	lists("Created", "invocations", 100, api.Result{RetStatus: api.RetSuccessful})
	lists("AgentStatuses", "agent_status", 2000, api.AgentStatus{InstanceID: "a", UniagentStatus: api.UniagentNone, Extensions: []api.Extension{}})
}

// TestOpenAPIProjects: the project_id of the document is that of the code.
func TestOpenAPIProjects(t *testing.T) {
	t.Parallel()
	s := readSpec(t)
	r := newRig(t, func(c *api.Config) { c.RequestRate = -1 })
	parameter := s.at(s.root, "components", "parameters", "project_id")
	require.Equal(t, "path", parameter["in"])
	require.Equal(t, true, parameter["required"])
	for path := range s.at(s.root, "paths") {
		if path == "/healthz" {
			continue
		}
		for method := range s.at(s.root, "paths", path) {
			refs := s.at(s.root, "paths", path, method)["parameters"].([]any)
			require.Contains(t, refs, any(schema{"$ref": "#/components/parameters/project_id"}), path)
		}
	}
	for _, v := range append(candidates(), "..", "a/b", strings.Repeat("p", 64), strings.Repeat("p", 65), project) {
		id, ok := v.(string)
		if !ok {
			continue
		}
		a := r.send(http.MethodGet, "/v3/"+url.PathEscape(id)+"/agent-invocations", "")
		require.Equal(t, s.accepts(s.at(parameter, "schema"), id), a.status != http.StatusBadRequest, "%q: %s", id, a.body)
	}
}

// TestOpenAPIWaysIn: the headers that the document names let in, and nothing does
// without them.
func TestOpenAPIWaysIn(t *testing.T) {
	t.Parallel()
	d := readSpec(t)
	r := newSigner(t)
	schemes := d.at(d.root, "components", "securitySchemes")
	var names []string
	for _, way := range d.root["security"].([]any) {
		names = append(names, slices.Collect(maps.Keys(way.(schema)))...)
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(schemes)), names)
	header := func(name string) string {
		scheme := d.at(schemes, name)
		require.Equal(t, "apiKey", scheme["type"])
		require.Equal(t, "header", scheme["in"])
		return scheme["name"].(string)
	}
	signature := header("signature")
	moved := func(req *http.Request) { // what is signed is where the document says
		value := req.Header["Authorization"]
		req.Header.Del("Authorization")
		req.Header[signature] = value
	}
	for want, a := range map[int]answer{
		http.StatusOK:           r.send(http.MethodGet, listing, "", "X-Auth-Token", "", header("token"), r.token),
		http.StatusUnauthorized: r.send(http.MethodGet, listing, "", "X-Auth-Token", ""),
	} {
		require.Equal(t, want, a.status, a.body)
	}
	require.Equal(t, http.StatusOK, r.signed(t, r.clock(), http.MethodGet, listing, "", moved)().status)
}
