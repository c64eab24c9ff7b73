package control

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// emptyStore knows no invocation and no file.
type emptyStore struct{ Store }

func (emptyStore) Invocation(context.Context, string, string) (installer.Invocation, error) {
	return installer.Invocation{}, installer.ErrNotFound
}

func (emptyStore) KnownHost(context.Context, string, string) (installer.Host, error) {
	return installer.Host{}, installer.ErrNotFound
}

func (emptyStore) BlobSize(context.Context, string, string) (int64, bool, error) {
	return 0, false, nil
}

// FuzzBatch: whatever comes as a batch is refused with faults that tell no
// secret, or is one that could be sent: packed and read again it is the same.
func FuzzBatch(f *testing.F) {
	host := installer.Host{ID: "i-1", Endpoint: installer.Endpoint{Address: "192.0.2.1", Port: 22, User: "root"}}
	good, err := json.Marshal(wireBatch{
		BatchID: "b-1", Source: "test", Specs: []installer.Spec{{Target: "telescope", HostKeys: installer.AcceptNew}},
		Logins: []wireLogin{{Password: "canary-password"}},
		Items:  []wireItem{{ID: "inv-1", Type: installer.Install, Host: host, wireCredentials: wireCredentials{Login: new(int)}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, change := range []string{
		`"spec":-1`, `"spec":1`, `"login":-1`, `"login":9`, `"via":[0,0]`, `"type":"RETRY","of":"inv-0"`, `"inherit":"known-host"`, `"run_id":"x"`, `"ITEMS":[{}]`, `"sudo":0`,
	} {
		f.Add([]byte(strings.Replace(string(good), `"type":"INSTALL"`, `"type":"INSTALL",`+change, 1)))
	}
	for _, change := range []string{
		`"type":"UPDATE"`, `"Type":"UPDATE"`, `"x":1`, `"spec":null`, `"spec":1e0`, `"spec":99999999999999999999`, `"login":1.5`, `"run_id":"\u0000"`, `"run_id":"\ud800"`, "\"run_id\":\"\xff\"",
	} {
		f.Add([]byte(strings.Replace(string(good), `"type":"INSTALL"`, `"type":"INSTALL",`+change, 1)))
	}
	for _, odd := range []string{``, `null`, `{}`, `[]`, `{"items":null}`, `{"items":[null]}`, `{"items":[{"via":[`, `{"logins":[{"password":"\ud800canary"}]}`, strings.Repeat(`[`, 99), `{"a\":[":[,,,]}`} {
		f.Add([]byte(odd))
	}
	s := newService(Config{Store: emptyStore{}, Hub: NewHub(), Clock: func() time.Time { return time.Unix(1, 0) }})
	who := installer.Principal{Project: "p-one", Kind: "token", Name: "x", Rights: installer.FullRights}
	f.Fuzz(func(t *testing.T, body []byte) {
		var w wireBatch
		err := decode(body, &w)
		if err == nil { // what is let in is what encoding/json makes of it too
			var plain wireBatch
			require.NoError(t, json.Unmarshal(body, &plain))
			require.Equal(t, plain, w)
			require.NotContains(t, string(body), "\xff")
		} else {
			require.NotContains(t, err.Error(), "defined here", "whatever is refused has a reason that is known")
		}
		if err == nil {
			require.LessOrEqual(t, len(w.Items), maxItems)
			require.LessOrEqual(t, len(w.Specs), maxItems)
			for _, item := range w.Items {
				require.LessOrEqual(t, len(item.Via), maxNested)
			}
		}
		var sub Submission
		if err == nil {
			sub, err = s.submission(t.Context(), who, w)
		}
		if err != nil {
			_, ok := err.(installer.Faults)
			require.True(t, ok, "%v", err)
			if bytes.Count(body, []byte("canary")) == bytes.Count(body, []byte(`"password":"canary-password"`)) {
				require.NotContains(t, err.Error(), "canary")
			}
			return
		}
		require.Equal(t, "p-one", sub.ProjectID, "it is the caller's, whatever it says")
		require.Len(t, sub.Items, sub.Total)
		raw, err := json.Marshal(sub.wire())
		require.NoError(t, err)
		var again wireBatch
		require.NoError(t, decode(raw, &again))
		same, err := s.submission(t.Context(), who, again)
		require.NoError(t, err)
		require.Equal(t, sub, same)
	})
}
