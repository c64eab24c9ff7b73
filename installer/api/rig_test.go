package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
	"tripod/installer/plan"
	"tripod/store"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "12") // they wait more than they compute
	goleak.VerifyTestMain(m)
}

const (
	project  = "p-one"
	create   = "/v3/" + project + "/agent-invocations/batch-create"
	listing  = "/v3/" + project + "/agent-invocations"
	statuses = "/v3/" + project + "/agent-status/batch-query"
)

// rig is the API on a real store behind a real HTTP server.
type rig struct {
	t       testing.TB
	store   *store.Store
	handler http.Handler
	url     string
	token   string // for project
	client  *apitest.Client
	logs    *lockedBuffer
	wakes   atomic.Int64
}

func newRig(t testing.TB, change ...func(*api.Config)) *rig {
	t.Helper()
	return rigOn(t, openStore(t, t.TempDir()+"/state", store.Options{KeepSucceeded: time.Hour, KeepOther: time.Hour}), change...)
}

func openStore(t testing.TB, dir string, o store.Options) *store.Store {
	t.Helper()
	st, err := store.Open(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func rigOn(t testing.TB, st *store.Store, change ...func(*api.Config)) *rig {
	t.Helper()
	r := &rig{t: t, store: st, logs: &lockedBuffer{}}
	r.token = r.addToken(project, "tester")
	r.restart(change...)
	srv := httptest.NewServer(r.handler)
	t.Cleanup(srv.Close)
	r.url = srv.URL
	r.client = r.clientFor(project, r.token)
	return r
}

// restart serves the store as another daemon would.
func (r *rig) restart(change ...func(*api.Config)) {
	config := api.Config{
		Planner: plan.NewPlanner(plan.Planner{Store: r.store}), Access: r.store,
		Wake:   func() { r.wakes.Add(1) },
		Logger: slog.New(slog.NewJSONHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&config)
	}
	r.handler = api.New(config)
}

func (r *rig) addToken(project, name string) string {
	r.t.Helper()
	token, err := r.store.AddToken(r.t.Context(), project, name, installer.FullRights)
	require.NoError(r.t, err)
	return token
}

func (r *rig) clientFor(project, token string) *apitest.Client {
	transport := &http.Transport{}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &apitest.Client{Client: api.Client{BaseURL: r.url, Project: project, Token: installer.NewSecret(token), HTTP: &http.Client{Transport: transport}}}
}

// answer is an HTTP answer with its body read.
type answer struct {
	status int
	header http.Header
	body   string
	err    api.Error
}

// send sends any request through the handler, with the token unless header
// says otherwise.
func (r *rig) send(method, path, body string, header ...string) answer {
	r.t.Helper()
	req := httptest.NewRequest(method, "http://tripod.test/", strings.NewReader(body))
	u, err := url.ParseRequestURI(path) // as a server does: nothing is cleaned
	require.NoError(r.t, err)
	req.URL = u
	req.Header.Set("X-Auth-Token", r.token)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			req.Header.Del(header[i])
		} else {
			req.Header.Set(header[i], header[i+1])
		}
	}
	return r.serve(req)
}

func (r *rig) serve(req *http.Request) answer {
	r.t.Helper()
	w := httptest.NewRecorder()
	method, path := req.Method, req.URL.EscapedPath()
	r.handler.ServeHTTP(w, req)
	a := read(r.t, w.Result())
	require.Equal(r.t, "application/json; charset=UTF-8", a.header.Get("Content-Type"))
	require.Equal(r.t, "no-store", a.header.Get("Cache-Control"), "answers hold what is on hosts")
	require.Equal(r.t, "nosniff", a.header.Get("X-Content-Type-Options"))
	if method != http.MethodHead {
		holdAnswer(r.t, method, path, a)
	}
	return a
}

func read(t testing.TB, resp *http.Response) answer {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if resp.StatusCode >= 400 {
		require.NoError(t, json.Unmarshal(raw, &a.err), "an error without the error body: %s", raw)
		require.True(t, slices.ContainsFunc(api.ErrorTable(), func(row api.CodeInfo) bool {
			return row.Status == resp.StatusCode && row.Code == a.err.Code
		}), "not in the table of errors: HTTP %d %s", resp.StatusCode, raw)
	}
	return a
}

// refused checks that an answer is an error as the API defines it.
func (a answer) refused(t testing.TB, status int, code api.Code, contains ...string) {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	require.Equal(t, code, a.err.Code, a.body)
	require.NotEmpty(t, a.err.Msg, "the SDK needs both fields")
	require.NotEmpty(t, a.header.Get("X-Request-Id"))
	for _, s := range contains {
		require.Contains(t, a.err.Msg, s)
	}
}

func (a answer) created(t testing.TB) api.Created {
	t.Helper()
	require.Equal(t, http.StatusCreated, a.status, a.body)
	var c api.Created
	require.NoError(t, json.Unmarshal([]byte(a.body), &c))
	return c
}

// nothingStored checks that no invocation exists in any project.
func (r *rig) nothingStored() {
	r.t.Helper()
	page, err := r.store.Invocations(r.t.Context(), installer.Filter{ProjectID: project})
	require.NoError(r.t, err)
	require.Empty(r.t, page.Invocations, "a refused request must not leave anything behind")
	require.Zero(r.t, r.wakes.Load())
}

// host is one good entry, with fields replaced or (nil) left out.
func host(change map[string]any) map[string]any {
	h := map[string]any{
		"instance_name": "web-1", "remote_ip": "10.0.0.1", "user_name": "root",
		"port": "22", "password": "correct horse", "remote_use_pem": false,
	}
	for k, v := range change {
		if v == nil {
			delete(h, k)
		} else {
			h[k] = v
		}
	}
	return h
}

func remoteInstall(hosts ...map[string]any) string {
	return asJSON(map[string]any{"invocation_type": "REMOTE_INSTALL", "remote_install_meta": hosts})
}

func asJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
