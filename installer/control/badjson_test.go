package control

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/plan"
)

// bodies are good ones, by the name of their operation, with a text in them that
// is there once: `canary`.
func bodies(t *testing.T) map[string]string {
	t.Helper()
	host := installer.Host{ID: "canary", Type: installer.ECS, Endpoint: installer.Endpoint{Address: "192.0.2.1", Port: 22, User: "root"}}
	entry := installer.HostEntry{Host: host, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("a password")}}}
	found := map[string]string{}
	for path, body := range map[string]any{
		"batches":          Newest{7},
		"batches/get":      ID{"canary"},
		"batches/submit":   plan.Request{BatchID: "b-1", Task: installer.Install, Spec: installer.Spec{Target: "telescope", HostKeys: installer.AcceptNew}, Hosts: []installer.HostEntry{entry}},
		"batches/plan":     plan.Request{BatchID: "b-1", Task: installer.Retry, Of: []string{"canary"}},
		"batches/cancel":   OfBatch{"b-1", "canary"},
		"batches/follow":   followRequest{OfBatch: OfBatch{BatchID: "b-1"}, Follower: "canary"},
		"batches/leave":    followRequest{OfBatch: OfBatch{BatchID: "b-1"}, Follower: "canary"},
		"invocations":      installer.Filter{BatchID: "canary"},
		"invocations/get":  ID{"canary"},
		"invocations/log":  ID{"canary"},
		"files/add":        filePart{SHA256: "canary", Data: []byte("x")},
		"hosts":            installer.HostFilter{IDs: []string{"canary"}},
		"hosts/add":        HostEntries{[]installer.HostEntry{entry}},
		"hosts/remove":     IDs{[]string{"canary"}},
		"hosts/forget-key": ID{"canary"},
		"jump-hosts/unset": IDs{[]string{"canary"}},
		"packages":         OfTarget{"canary"},
		"packages/add":     installer.Package{Target: "telescope", BlobRef: installer.BlobRef{Name: "canary", SHA256: strings.Repeat("a", 64)}},
		"packages/remove":  ID{"canary"},
		"tokens":           OfProject{"canary"},
		"tokens/add":       Grant{"canary", installer.FullRights},
		"tokens/remove":    ID{"canary"},
		"keys":             OfProject{"canary"},
		"keys/add":         Grant{"canary", installer.FullRights},
		"keys/remove":      ID{"canary"},
		"audit":            installer.AuditFilter{Project: "canary"},
		"audit/verify":     Anchors{[]installer.AuditAnchor{{Number: 1, Hash: "canary"}}},
		"audit/prune":      Before{time.Unix(1, 0).UTC()},
	} {
		raw, err := encode(body)
		require.NoError(t, err)
		found[root+"{project_id}/"+path] = string(raw)
	}
	return found
}

// aBatch has one batch; nothing else may be asked of it.
type aBatch struct{ Store }

func (aBatch) Batch(_ context.Context, project, id string) (installer.BatchHead, error) {
	return installer.BatchHead{ID: id, ProjectID: project}, nil
}

// TestBControlJSON: what two readers could understand differently is refused on
// every route that takes a body, with its path, and nothing is asked of the store.
func TestBControlJSON(t *testing.T) {
	t.Parallel()
	good := bodies(t)
	operations := Operations(Config{Store: aBatch{}, Hub: NewHub(), Engine: NoEngine{}, Operator: "p-one", Planner: plan.NewPlanner(plan.Planner{})})
	for _, route := range operations {
		if route.Pattern == root+whoAmI.name { // its body has no field
			continue
		}
		body, known := good[route.Pattern]
		require.True(t, known, "%s %s takes a body: give a good one here", route.Method, route.Pattern)
		delete(good, route.Pattern)
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(body), &fields))
		name := firstKey(body)
		upper := strings.ToUpper(name)
		first := string(fields[name])
		begin := func(with string) string { return `{` + with + `,` + body[1:] }
		for want, odd := range map[string]string{
			name + ": the key is there twice":                                 begin(`"` + name + `":` + first),
			name + ": the key is there twice ":                                begin(`"\u00` + hexOf(name[0]) + name[1:] + `":` + first),
			upper + ": is not a known field":                                  begin(`"` + upper + `":` + first),
			"zzz: is not a known field: is the client newer than the daemon?": begin(`"zzz":1`),
			`["z\x1b"]: is not a known field`:                                 begin(`"z\u001b":{"a":[]}`),
			name + ": must not be null":                                       strings.Replace(body, first, `null`, 1),
			name + ": must be ":                                               strings.Replace(body, first, `true`, 1),
			"document: must be an object, not an array":                       `[` + body + `]`,
			"document: must not be null":                                      `null`,
			"document: has data after its end":                                body + ` {}`,
			"document: begins with a byte order mark":                         "\xef\xbb\xbf" + body,
			"zzz.a: the key is there twice":                                   begin(`"zzz":{"a":1,"a":2}`),
			"zzz: the number is out of range":                                 begin(`"zzz":1e400`),
			"is not JSON at line 1":                                           body[:len(body)-1] + `,}`,
			"ends too early":                                                  body[:len(body)-1],
			"is nested more than 16 deep":                                     begin(`"zzz":` + strings.Repeat("[", 20)),
			"zzz: holds a NUL character":                                      begin(`"zzz":"\u0000"`),
			"holds a NUL character":                                           strings.Replace(body, "canary", `canary\u0000`, 1),
			"one half of a surrogate pair":                                    strings.Replace(body, "canary", `canary\ud800`, 1),
			"holds bytes that are not UTF-8":                                  strings.Replace(body, "canary", "canary\xff", 1),
			"a control character in a string must be escaped":                 strings.Replace(body, "canary", "canary\n", 1),
		} {
			if odd == body { // a prune has no text, a number
				continue
			}
			r := &api.Request{
				Request: httptest.NewRequestWithContext(t.Context(), route.Method, "/", nil), Body: []byte(odd),
				Principal: installer.Principal{Project: "p-one", Kind: "token", Name: "x", Rights: installer.FullRights},
			}
			_, err := route.Handle(r)
			_, ok := err.(installer.Faults)
			if assert.True(t, ok, "%s %s: %v", route.Pattern, odd, err) {
				assert.Contains(t, err.Error(), strings.TrimSpace(want), "%s %s", route.Pattern, odd)
				assert.NotContains(t, err.Error(), "canary")
				assert.NotContains(t, err.Error(), "\x1b")
			}
		}
	}
	require.Empty(t, good, "there are no such routes")
}

// TestNumbersThatDoNotFit are told with the path to the very one.
func TestNumbersThatDoNotFit(t *testing.T) {
	t.Parallel()
	for want, body := range map[string]string{
		"hosts[1].host.port: must be a whole number that fits": `{"hosts":[{},{"host":{"port":65536}}]}`,
		"hosts[0].host.port: must be a whole number that fits": `{"hosts":[{"host":{"port":-1}}]}`,
		"max_failures.n: must be a whole number that fits":     `{"max_failures":{"n":1.5}}`,
		"hosts[0].credentials.via[1]: must not be null":        `{"secrets":["a"],"hosts":[{"credentials":{"via":[{"password":0},null]}}]}`,
		"hosts[0].host.via[0].user: must be a string":          `{"hosts":[{"host":{"via":[{"user":{"canary":1}}]}}]}`,
		`hosts[0].credentials.Password: is not a known field`:  `{"hosts":[{"credentials":{"Password":"canary"}}]}`,
		`hosts[0].credentials.password: must be a number`:      `{"hosts":[{"credentials":{"password":"canary"}}]}`,
		`hosts[0].credentials.password: must be a whole`:       `{"secrets":["canary"],"hosts":[{"credentials":{"password":0.5}}]}`,
		`hosts[0].credentials.password: is no index of`:        `{"hosts":[{"credentials":{"password":0}}],"secrets":["canary"]}`,
		`for_all.credentials.password: is no index of`:         `{"secrets":["canary"],"for_all":{"credentials":{"password":-1}}}`,
	} {
		_, err := decode[plan.Request]([]byte(body))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "canary")
	}
	_, err := decode[Before]([]byte(`{"before":"yesterday"}`))
	require.EqualError(t, err, "before: must be a time (RFC 3339)")
	_, err = decode[filePart]([]byte(`{"data":"not base64"}`))
	require.EqualError(t, err, "data: must be base64")
}

func firstKey(body string) string { return body[2 : 2+strings.IndexByte(body[2:], '"')] }

func hexOf(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// TestNoFaultShowsALogin: a slip anywhere in a batch shows no part of a password.
func TestNoFaultShowsALogin(t *testing.T) {
	t.Parallel()
	const canary = "Zk7QwX"
	body := `{"batch_id":"b","max_failures":{"n":1},"spec":{"target":"t","run_timeout":1000000000},"hosts":[{"credentials":{"password":0,"via":[{"private_key":1}]}}]}`
	body = `{"secrets":["Zk7QwX","Zk7QwX"],` + body[1:]
	_, err := decode[plan.Request]([]byte(body))
	require.NoError(t, err)
	for i := range body {
		for _, with := range []string{"", `"`, `\`, `{`, `[`, `]`, `}`, `,`, `:`, "\n", "\x00", "\xff", `\u0000`, `\ud800`, `null`, `1e400`, `"":`} {
			for _, slip := range []string{body[:i] + with + body[i:], body[:i] + with + body[i+1:]} {
				_, err := decode[plan.Request]([]byte(slip))
				if err == nil || strings.Contains(slip, canary+`":`) {
					continue // made a key of it: keys are names
				}
				require.NotContains(t, err.Error(), canary, slip)
				require.IsType(t, installer.Faults{}, err)
			}
		}
	}
}
