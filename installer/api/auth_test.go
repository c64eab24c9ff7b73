package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
	"tripod/installer/plan"
)

// TestC01EveryRouteNeedsAToken walks the table that is really served, so that
// a route added later is covered without anybody thinking of it.
func TestC01EveryRouteNeedsAToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var open []string
	for _, rt := range api.Routes(r.handler) {
		if rt.Open {
			open = append(open, rt.Method+" "+rt.Pattern)
			continue
		}
		path := strings.ReplaceAll(rt.Pattern, "{project_id}", project)
		for _, token := range []string{"", "wrong", r.token + "x", strings.ToUpper(r.token)} {
			r.send(rt.Method, path, "{}", "X-Auth-Token", token).refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
		}
		for _, authorization := range []string{"SDK-HMAC-SHA256", signedBy("TPDNOTKNOWN234567890", strings.Repeat("0", 64))} {
			r.send(rt.Method, path, "{}", "X-Auth-Token", "", "Authorization", authorization, "X-Sdk-Date", sdkDate(time.Now())).
				refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
		}
		assert.NotEqual(t, http.StatusUnauthorized, r.send(rt.Method, path, "{}").status)
	}
	assert.Equal(t, []string{"GET /healthz"}, open, "the only route without a token")
	for _, unknown := range []string{"/", "/v3", "/v3/" + project + "/agent-status/batch-query", "/healthz/", "/metrics", "/v3/../healthz"} {
		r.send(http.MethodGet, unknown, "", "X-Auth-Token", "").refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
	}
}

func TestHealthz(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.send(http.MethodGet, "/healthz", "", "X-Auth-Token", "")
	require.Equal(t, http.StatusOK, a.status)
	require.JSONEq(t, `{"status":"ok"}`, a.body)
	head := r.send(http.MethodHead, "/healthz", "", "X-Auth-Token", "")
	require.Equal(t, http.StatusOK, head.status)
	require.Empty(t, head.body)
	r.send(http.MethodPost, "/healthz", "{}").refused(t, http.StatusMethodNotAllowed, api.CodeInvalidRequest)
	require.NoError(t, r.client.Health(t.Context()))
}

func TestTokenIsCheckedBeforeTheBodyIsRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := httptest.NewRequest(http.MethodPost, create, io.NopCloser(readerFunc(func([]byte) (int, error) {
		t.Error("the body of a stranger was read")
		return 0, io.EOF
	})))
	req.Header.Set("Content-Encoding", "gzip")
	r.serve(req).refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
}

func TestTokenForms(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, tokens := range map[string][]string{
		"none": nil, "empty": {""}, "two": {r.token, r.token}, "with a space": {r.token + " "},
		"too long": {strings.Repeat("a", 16385)}, "longest": {strings.Repeat("a", 16384)}, "binary": {"\xff\xfe"},
	} {
		req := httptest.NewRequest(http.MethodGet, listing, nil)
		req.Header["X-Auth-Token"] = tokens
		a := r.serve(req)
		a.refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
		assert.NotContains(t, a.body, r.token, name)
	}
}

// TestC04ProjectsAreApart: what is another project's does not exist.
func TestC04ProjectsAreApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := r.clientFor("p-two", r.addToken("p-two", "other"))
	mine := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0]

	r.send(http.MethodGet, "/v3/p-two/agent-invocations", "").refused(t, http.StatusForbidden, api.CodeForbidden)
	r.send(http.MethodPost, "/v3/p-two/agent-invocations/batch-create", remoteInstall(host(nil))).refused(t, http.StatusForbidden, api.CodeForbidden)

	for _, f := range []installer.Filter{{}, {InvocationID: mine.InvocationID}, {InstanceID: mine.InstanceID}} {
		theirs, err := other.List(t.Context(), f)
		require.NoError(t, err)
		require.Empty(t, theirs.Invocations)
		require.Zero(t, theirs.Count)
	}
	// Known in p-one, unknown in p-two: answered as an id that never was.
	failed := mine
	r.finishAll(installer.Failed)
	done := r.ask("INSTALL", nil, mine.InstanceID)[0]
	r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Changed: true, Agent: installer.AgentRunning, TargetVersion: "1"}})
	for _, tc := range []struct{ kind, id string }{
		{"SET_REMOTE_INSTALLER", mine.InstanceID}, {"REMOTE_INSTALL", mine.InstanceID}, {"INSTALL", mine.InstanceID}, {"UPDATE", mine.InstanceID},
		{"RETRY", failed.InvocationID}, {"RETRY", done.InvocationID}, {"ROLLBACK", done.InvocationID}, {"ROLLBACK", failed.InvocationID},
	} {
		var told []string
		for _, id := range []string{tc.id, "never-was"} {
			req := request(tc.kind, id)
			if tc.kind == "RETRY" || tc.kind == "ROLLBACK" {
				req.InstanceIDs, req.InvocationIDs = nil, []string{id}
			}
			made, err := other.Create(t.Context(), req)
			require.NoError(t, err)
			require.Equal(t, api.RetError, made.Invocations[0].RetStatus)
			told = append(told, strings.ReplaceAll(asJSON(made), tc.id, "never-was"))
		}
		require.Equal(t, told[1], told[0], "%s must not tell that it exists elsewhere", tc.kind)
	}
	theirs := func(id string) string {
		a := r.send(http.MethodPost, "/v3/p-two/agent-status/batch-query", asJSON(apitest.StatusQuery{InstanceIDs: []string{id}}), "X-Auth-Token", other.Token.Reveal())
		require.Equal(t, http.StatusOK, a.status, a.body)
		return strings.ReplaceAll(a.body, mine.InstanceID, "never-was")
	}
	require.Contains(t, r.send(http.MethodPost, statuses, asJSON(apitest.StatusQuery{InstanceIDs: []string{mine.InstanceID}})).body, `"running"`)
	require.Equal(t, theirs("never-was"), theirs(mine.InstanceID))
	require.EqualValues(t, 2, r.count(), "nothing was stored")
	page, err := r.store.Invocations(t.Context(), installer.Filter{ProjectID: "p-two"})
	require.NoError(t, err)
	require.Zero(t, page.Count)
}

func request(kind string, instanceIDs ...string) apitest.CreateRequest {
	req := apitest.CreateRequest{InvocationType: kind, InstanceIDs: instanceIDs}
	if kind == "REMOTE_INSTALL" {
		req.Hosts = []installer.HostEntry{{Host: installer.Host{Endpoint: installer.Endpoint{Address: "10.0.0.7", User: "root", Port: 22}}, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("pw")}}}}
	}
	return req
}

func TestA3StorageErrorIs503(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.store.Close())
	// The token cannot be looked up any more: that is no 401, and no 500.
	r.send(http.MethodGet, listing, "").refused(t, http.StatusServiceUnavailable, api.CodeStorage)
	r.send(http.MethodPost, create, remoteInstall(host(nil))).refused(t, http.StatusServiceUnavailable, api.CodeStorage)
	r.send(http.MethodGet, "/healthz", "").refused(t, http.StatusServiceUnavailable, api.CodeStorage)
	require.Zero(t, r.wakes.Load())
}

func TestWrappedErrorsAreMapped(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err    error
		status int
		code   api.Code
	}{
		{fmt.Errorf("x: %w", installer.ErrNotFound), 404, api.CodeNotFound},
		{fmt.Errorf("x: %w", installer.ErrStorage), 503, api.CodeStorage},
		{fmt.Errorf("x: %w", installer.Faults{{Where: "a", What: "b"}}), 400, api.CodeBodyInvalid},
		{errors.New("a detail of the machine"), 500, api.CodeInternal},
	} {
		r := newRig(t, func(c *api.Config) { c.Store = failingList{c.Store, tc.err} })
		a := r.send(http.MethodGet, listing, "")
		a.refused(t, tc.status, tc.code)
		require.NotContains(t, a.body, "machine", "what is unexpected is for the log")
		require.Contains(t, r.logs.String(), a.header.Get("X-Request-Id"))
	}
}

// failingList is a real store whose list fails in a chosen way.
type failingList struct {
	plan.Store
	err error
}

func (l failingList) Invocations(context.Context, installer.Filter) (installer.Page, error) {
	return installer.Page{}, l.err
}
