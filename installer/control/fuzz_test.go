package control

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/plan"
)

// emptyStore has no file.
type emptyStore struct{ Store }

func (emptyStore) BlobSize(context.Context, string, string) (int64, bool, error) {
	return 0, false, nil
}

// FuzzBatch: whatever comes as a batch is refused with faults that tell no
// secret, or is one that could be sent: packed and read again it is the same.
func FuzzBatch(f *testing.F) {
	host := installer.Host{ID: "i-1", Endpoint: installer.Endpoint{Address: "192.0.2.1", Port: 22, User: "root"}}
	good, err := encode(plan.Request{
		BatchID: "b-1", Source: "test", Task: installer.Install, Spec: installer.Spec{Target: "telescope", HostKeys: installer.AcceptNew},
		Hosts: []installer.HostEntry{{Host: host, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("canary-password")}}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, change := range []string{
		`"task":"RETRY"`, `"Task":"UPDATE"`, `"x":1`, `"spec":null`, `"resume":1e0`, `"max_failures":{"n":99999999999999999999}`, `"of":["\u0000"]`, `"of":["\ud800"]`, "\"of\":[\"\xff\"]",
		`"HOSTS":[{}]`, `"known":["i-1"]`, `"for_all":{"host":{"user":"-o"},"credentials":{"password":9}}`,
	} {
		f.Add([]byte(strings.Replace(string(good), `"task":"INSTALL"`, `"task":"INSTALL",`+change, 1)))
	}
	for _, change := range []string{`"password":-1`, `"password":9`, `"password":1.5`, `"via":[{},{}]`, `"sudo_password":0`} {
		f.Add([]byte(strings.Replace(string(good), `"password":0`, change, 1)))
	}
	for _, odd := range []string{``, `null`, `{}`, `[]`, `{"hosts":null}`, `{"hosts":[null]}`, `{"hosts":[{"via":[`, `{"secrets":["\ud800canary"]}`, strings.Repeat(`[`, 99), `{"a\":[":[,,,]}`} {
		f.Add([]byte(odd))
	}
	s := &service{Config: Config{Store: emptyStore{}, Hub: NewHub(), Planner: plan.NewPlanner(plan.Planner{Store: emptyStore{}})}}
	who := installer.Principal{Project: "p-one", Kind: "token", Name: "x", Rights: installer.FullRights}
	f.Fuzz(func(t *testing.T, body []byte) {
		w, err := decode[plan.Request](body)
		if err == nil { // what is let in is what encoding/json makes of it too
			var plain plan.Request
			if !bytes.Contains(body, []byte("secrets")) {
				require.NoError(t, json.Unmarshal(body, &plain))
				require.Equal(t, plain, w)
			}
			require.NotContains(t, string(body), "\xff")
		} else {
			require.NotContains(t, err.Error(), "defined here", "whatever is refused has a reason that is known")
		}
		if err == nil {
			require.LessOrEqual(t, len(w.Hosts), maxItems)
			for _, h := range w.Hosts {
				require.LessOrEqual(t, len(h.Host.Via), maxNested)
			}
		}
		var req plan.Request
		if err == nil {
			req, err = s.checked(t.Context(), who, w, true)
		}
		if err != nil {
			_, ok := err.(installer.Faults)
			require.True(t, ok, "%v", err)
			if bytes.Count(body, []byte("canary")) == bytes.Count(body, []byte(`"canary-password"`)) {
				require.NotContains(t, err.Error(), "canary")
			}
			return
		}
		require.Equal(t, "p-one", req.Project, "it is the caller's, whatever it says")
		raw, err := encode(req)
		require.NoError(t, err)
		again, err := decode[plan.Request](raw)
		require.NoError(t, err)
		same, err := s.checked(t.Context(), who, again, true)
		require.NoError(t, err)
		require.Equal(t, req, same)
	})
}
