package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
)

// schema is a node of docs/openapi.yaml. As a JSON schema it understands what
// that file uses.
type schema map[string]any

// spec is the whole file.
type spec struct {
	t    testing.TB
	root schema
}

var specFile = sync.OnceValues(func() (root schema, err error) {
	raw, err := os.ReadFile("../../docs/openapi.yaml")
	if err == nil {
		err = yaml.Unmarshal(raw, &root)
	}
	return root, err
})

func readSpec(t testing.TB) spec {
	t.Helper()
	root, err := specFile()
	require.NoError(t, err)
	require.Equal(t, "3.1.0", root["openapi"])
	return spec{t, root}
}

// at follows keys, and references on the way.
func (s spec) at(from schema, keys ...string) schema {
	s.t.Helper()
	node := s.resolve(from)
	for _, key := range keys {
		next, ok := node[key].(schema)
		require.True(s.t, ok, "docs/openapi.yaml has no %s of %s", key, strings.Join(keys, "/"))
		node = s.resolve(next)
	}
	return node
}

func (s spec) resolve(node schema) schema {
	s.t.Helper()
	ref, ok := node["$ref"].(string)
	if !ok {
		return node
	}
	return s.at(s.root, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
}

func (s spec) schema(name string) schema { return s.at(s.root, "components", "schemas", name) }

func texts(v any) (all []string) {
	list, _ := v.([]any)
	for _, x := range list {
		all = append(all, fmt.Sprint(x))
	}
	return all
}

// TestOpenAPIRoutes: the same routes, answers and ways in as in the code.
func TestOpenAPIRoutes(t *testing.T) {
	t.Parallel()
	s := readSpec(t)
	type operation struct {
		method, path, success string
		open                  bool
	}
	var documented, served []operation
	paths := s.at(s.root, "paths")
	for path := range paths {
		for method := range s.at(paths, path) {
			op := s.at(paths, path, method)
			responses := slices.Sorted(maps.Keys(s.at(op, "responses")))
			require.Len(t, responses, 2, path)
			require.Equal(t, "default", responses[1], path)
			_, open := op["security"]
			documented = append(documented, operation{strings.ToUpper(method), path, responses[0], open})
			require.Equal(t, "#/components/schemas/Error", s.at(op, "responses", "default", "content", "application/json")["schema"].(schema)["$ref"])
		}
	}
	for _, r := range api.Routes(newRig(t).handler) {
		served = append(served, operation{r.Method, r.Pattern, strconv.Itoa(r.Success), r.Open})
	}
	require.ElementsMatch(t, served, documented)
}

// TestOpenAPIFields: the answers' fields, which of them are always there, and
// the words of every enum.
func TestOpenAPIFields(t *testing.T) {
	t.Parallel()
	s := readSpec(t)
	for name, value := range map[string]any{
		"Created": api.Created{}, "Result": api.Result{}, "List": api.List{}, "Item": api.Item{}, "Health": api.Health{}, "Error": api.Error{},
		"AgentStatuses": api.AgentStatuses{}, "AgentStatus": api.AgentStatus{}, "Extension": api.Extension{},
		"StatusRequest": apitest.StatusQuery{}, "CreateRequest": apitest.WireRequest{}, "RemoteHost": apitest.WireHost{}, "AgentConfiguration": apitest.Agent{},
	} {
		fields, always := jsonFields(reflect.TypeOf(value))
		require.ElementsMatch(t, fields, slices.Collect(maps.Keys(s.at(s.schema(name), "properties"))), name)
		if name != "RemoteHost" && name != "AgentConfiguration" { // what a client sends always is not what is required
			require.ElementsMatch(t, always, texts(s.schema(name)["required"]), name)
		}
	}
	for name, words := range api.Enums {
		require.Equal(t, words, texts(s.schema(name)["enum"]), name)
	}
	require.Equal(t, append(slices.Clone(api.Enums["Type"]), "SET_REMOTE_INSTALL_HOST"), texts(s.schema("AskedType")["enum"]))
	var items, codes []string
	for _, row := range api.ItemCodes() {
		items = append(items, string(row.Code))
	}
	for _, row := range api.ErrorTable() {
		codes = append(codes, string(row.Code))
	}
	require.Equal(t, items, texts(s.at(s.schema("Result"), "properties", "error_code")["enum"]))
	slices.Sort(codes)
	require.ElementsMatch(t, slices.Compact(codes), texts(s.at(s.schema("Error"), "properties", "error_code")["enum"]))
	require.Equal(t, []string{api.RetSuccessful, api.RetError}, texts(s.at(s.schema("Result"), "properties", "ret_status")["enum"]))
}

func jsonFields(typ reflect.Type) (all, always []string) {
	for i := range typ.NumField() {
		name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if name == "-" || name == "" {
			continue
		}
		all = append(all, name)
		if options == "" {
			always = append(always, name)
		}
	}
	return all, always
}

// candidates are values of all sorts, good ones and bad ones for everything.
func candidates() []any {
	all := []any{
		nil, true, false, 0, 1, 22, 65535, 65536, -1, 22.5, []any{}, map[string]any{}, []any{nil}, []any{1}, []any{"a", "b"}, []any{"a", "a"}, []any{"a_b"}, []any{""},
		"", " ", "a", "-", "_", "a_b", "a-b", "a.b", "a b", "é", "/", "..", "\n", "a\n", "\t", "\x7f", "\u0085", "22", " 22", "+22", "022", "22\n", "0", "9999", "10000", "59999", "65535", "65536", "99999", "123456", "1e3",
		"10.0.0.1", "010.0.0.1", "256.1.1.1", "1.1", "::1", "10.0.0.1\n", "10.0.0.0/8", "example.com",
	}
	for _, n := range []int{15, 16, 17, 63, 64, 65, 128, 129, 2999, 3000, 3001} {
		all = append(all, strings.Repeat("1", n), strings.Repeat("é", n))
	}
	for _, n := range []int{1, 99, 100, 101, 1999, 2000, 2001} {
		ids := make([]any, n)
		for i := range ids {
			ids[i] = fmt.Sprint("id-", i)
		}
		all = append(all, ids)
	}
	for _, words := range api.Enums {
		for _, w := range words {
			all = append(all, w, strings.ToLower(w), strings.ToUpper(w))
		}
	}
	return append(all, "SET_REMOTE_INSTALL_HOST")
}

// TestOpenAPIRequests: of every field of a request, the document and the
// decoder accept and refuse the same values.
func TestOpenAPIRequests(t *testing.T) {
	t.Parallel()
	s := readSpec(t)
	hold := func(name string, decode func([]byte) error, prefix string, body func(field string, v any) any, skip ...string) {
		for field := range s.at(s.schema(name), "properties") {
			if slices.Contains(skip, field) {
				continue
			}
			is := s.at(s.schema(name), "properties", field)
			for _, v := range candidates() {
				raw := asJSON(body(field, v))
				faults, _ := decode([]byte(raw)).(installer.Faults)
				refused := slices.ContainsFunc(faults, func(f installer.Fault) bool {
					return f.Where == prefix+field || strings.HasPrefix(f.Where, prefix+field+"[")
				})
				require.Equal(t, s.accepts(is, v), !refused, "%s: %.300s: %v", name, raw, faults)
			}
		}
	}
	top := func(field string, v any) any { return map[string]any{field: v} }
	hold("CreateRequest", api.DecodeCreate, "", top, "remote_install_meta") // its items are held below, its counts in TestBCounts
	hold("StatusRequest", api.DecodeStatus, "", top)
	hold("RemoteHost", api.DecodeCreate, "remote_install_meta[0].", func(field string, v any) any {
		h := host(map[string]any{"remote_use_pem": nil})
		h[field] = v
		return map[string]any{"invocation_type": "RETRY", "remote_install_meta": []any{h}}
	}, "agent")
	hold("AgentConfiguration", api.DecodeCreate, "remote_install_meta[0].agent.", func(field string, v any) any {
		agent := map[string]any{"access_key": "a", "secret_key": "s"}
		agent[field] = v
		return map[string]any{"invocation_type": "RETRY", "remote_install_meta": []any{host(map[string]any{"agent": agent})}}
	}, "endpoint") // a host alone will do, too

	for name, required := range map[string][]string{"CreateRequest": {"invocation_type"}, "StatusRequest": {"instance_ids"}, "RemoteHost": {"remote_ip", "user_name"}} {
		require.Equal(t, required, texts(s.schema(name)["required"]))
	}
	require.ErrorContains(t, api.DecodeCreate([]byte("{}")), "invocation_type: is missing")
	require.ErrorContains(t, api.DecodeStatus([]byte("{}")), "instance_ids: is missing")
	err := api.DecodeCreate([]byte(remoteInstall(map[string]any{"x": 1})))
	for _, fault := range []string{"remote_ip: is missing", "user_name: is missing", "x: is not a known field"} {
		require.ErrorContains(t, err, "remote_install_meta[0]."+fault)
	}
	require.EqualValues(t, 100, s.at(s.schema("CreateRequest"), "properties", "remote_install_meta")["maxItems"])
}

// TestOpenAPIParameters: the same for the list's query and for the header.
func TestOpenAPIParameters(t *testing.T) {
	t.Parallel()
	s := readSpec(t)
	r := newRig(t, func(c *api.Config) { c.RequestRate = -1 })
	documented := map[string]schema{}
	for _, p := range s.at(s.root, "paths", "/v3/{project_id}/agent-invocations", "get")["parameters"].([]any) {
		p := s.resolve(p.(schema))
		if p["in"] == "query" {
			documented[p["name"].(string)] = s.at(p, "schema")
		}
	}
	require.ElementsMatch(t, api.Parameters(), slices.Collect(maps.Keys(documented)))
	for name, is := range documented {
		values := candidates()
		if is["type"] == "integer" {
			for _, edge := range []string{"minimum", "maximum"} {
				n := is[edge].(int)
				values = append(values, strconv.Itoa(n-1), strconv.Itoa(n), strconv.Itoa(n+1))
			}
		}
		for _, v := range values {
			text, ok := v.(string)
			if !ok {
				continue
			}
			var value any = text
			if is["type"] == "integer" {
				n, err := strconv.Atoi(text)
				value = n
				if err != nil || strings.HasPrefix(text, "+") {
					value = text
				}
				if len(text) > 13 || strings.HasPrefix(text, "0") && text != "0" {
					continue // more digits than the number needs
				}
			}
			a := r.send(http.MethodGet, listing+"?"+url.Values{name: {text}}.Encode(), "")
			require.Equal(t, s.accepts(is, value), a.status == http.StatusOK, "%s = %.80q: %s", name, text, a.body)
		}
	}

	var key schema
	for _, p := range s.at(s.root, "paths", "/v3/{project_id}/agent-invocations/batch-create", "post")["parameters"].([]any) {
		if p := s.resolve(p.(schema)); p["in"] == "header" {
			require.Equal(t, headerKey, p["name"])
			key = s.at(p, "schema")
		}
	}
	for _, v := range append(candidates(), strings.Repeat("k", 255), strings.Repeat("k", 256)) {
		text, ok := v.(string)
		if !ok {
			continue
		}
		a := r.sendKeys(`{"invocation_type":"INSTALL","instance_ids":["unknown"]}`, []string{text})
		require.Equal(t, s.accepts(key, text), a.status == http.StatusCreated, "%q: %s", text, a.body)
	}
}
