package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer/api"
)

func TestA22PanicIs500AndTheDaemonLives(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *api.Config) {
		c.Policy = func(a netip.Addr) error {
			if a == netip.MustParseAddr("10.0.0.66") {
				panic("boom")
			}
			return nil
		}
	})
	r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"remote_ip": "10.0.0.66"}))).refused(t, http.StatusInternalServerError, api.CodeInternal)
	r.nothingStored()
	require.Contains(t, r.logs.String(), "boom")
	r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t)
}

func TestRoutesThatAreNotThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, path := range []string{
		"/", "/v3", "/v3/", "/v3/" + project, "/v3/" + project + "/", "/v1/" + project + "/agent-invocations",
		listing + "/", create + "/", create + "/x", "//v3/" + project + "/agent-invocations",
		"/v3/" + project + "/agent-status", statuses + "/", "/v3/" + project + "/Agent-Invocations",
	} {
		r.send(http.MethodPost, path, "{}").refused(t, http.StatusNotFound, api.CodeNotFound)
	}
	for method, path := range map[string]string{http.MethodGet: statuses, http.MethodPost: listing, http.MethodPut: listing, http.MethodDelete: create} {
		a := r.send(method, path, "{}")
		a.refused(t, http.StatusMethodNotAllowed, api.CodeInvalidRequest)
		require.NotEmpty(t, a.header.Get("Allow"))
	}
}

func TestBProjectIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, id := range []string{
		"", "..", ".", "%2e%2e%2f", "%2e%2e", "..%2f" + project, "%00", project + "%00", strings.Repeat("a", 65),
		"%C3%A9", "%EF%BC%91", project + "%20", "a%0Ab", "%zz", "a;b", "a'b", "%FF",
	} {
		for method, rest := range map[string]string{http.MethodGet: "/agent-invocations", http.MethodPost: "/agent-invocations/batch-create", "POST ": "/agent-status/batch-query"} {
			status := r.raw(strings.TrimSpace(method) + " /v3/" + id + rest + " HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " + r.token + "\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
			require.Equal(t, 400, status, id)
		}
	}
	r.nothingStored()
	// 64 characters are fine, only somebody else's.
	r.send(http.MethodGet, "/v3/"+strings.Repeat("a", 64)+"/agent-invocations", "").refused(t, http.StatusForbidden, api.CodeForbidden)
}

func TestBBodyLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good := remoteInstall(host(nil))
	full := good + strings.Repeat(" ", 2<<20-len(good))
	r.send(http.MethodPost, create, full).created(t)
	big := r.send(http.MethodPost, create, full+" ")
	big.refused(t, http.StatusRequestEntityTooLarge, api.CodeTooLarge)
	require.Equal(t, "close", big.header.Get("Connection"), "what is left of it is not read")
	chunked := httptest.NewRequest(http.MethodPost, create, io.NopCloser(strings.NewReader(full+" ")))
	chunked.ContentLength = -1
	chunked.Header.Set("X-Auth-Token", r.token)
	big = r.serve(chunked)
	big.refused(t, http.StatusRequestEntityTooLarge, api.CodeTooLarge)
	require.Equal(t, "close", big.header.Get("Connection"))

	for _, encoding := range []string{"gzip", "deflate", "br", "identity"} {
		r.send(http.MethodPost, create, good, "Content-Encoding", encoding).refused(t, http.StatusUnsupportedMediaType, api.CodeInvalidRequest, "Content-Encoding")
	}
	for _, kind := range []string{"text/plain", "application/xml", "application/json; charset=latin1", "application/x-www-form-urlencoded", "multipart/form-data", ";", "application/jsonx"} {
		r.send(http.MethodPost, create, good, "Content-Type", kind).refused(t, http.StatusUnsupportedMediaType, api.CodeInvalidRequest, "Content-Type")
	}
	for _, kind := range []string{"", "application/json", "application/json;charset=utf-8", "Application/JSON; charset=UTF-8"} {
		r.send(http.MethodPost, create, good, "Content-Type", kind).created(t)
	}
	for _, empty := range []string{"", " ", "\r\n\t  "} {
		r.send(http.MethodPost, create, empty).refused(t, http.StatusBadRequest, api.CodeContentMissing)
		r.send(http.MethodPost, statuses, empty).refused(t, http.StatusBadRequest, api.CodeContentMissing)
	}

	// The same for the other body.
	good = `{"instance_ids":["a"]}`
	full = good + strings.Repeat(" ", 2<<20-len(good))
	require.Equal(t, http.StatusOK, r.send(http.MethodPost, statuses, full).status)
	r.send(http.MethodPost, statuses, full+" ").refused(t, http.StatusRequestEntityTooLarge, api.CodeTooLarge)
	r.send(http.MethodPost, statuses, good, "Content-Encoding", "gzip").refused(t, http.StatusUnsupportedMediaType, api.CodeInvalidRequest)
	r.send(http.MethodPost, statuses, good, "Content-Type", "text/plain").refused(t, http.StatusUnsupportedMediaType, api.CodeInvalidRequest)
	r.send(http.MethodPost, statuses, "").refused(t, http.StatusBadRequest, api.CodeContentMissing)
}

func TestBChunkedBodyOverTheLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+create, readerFunc(func(p []byte) (int, error) {
		return copy(p, strings.Repeat(" ", len(p))), nil
	}))
	require.NoError(t, err)
	req.Header.Set("X-Auth-Token", r.token)
	resp, err := r.client.HTTP.Do(req)
	require.NoError(t, err)
	read(t, resp).refused(t, http.StatusRequestEntityTooLarge, api.CodeTooLarge)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestC10NoSecretIsLogged: a line per request, and no secret in any of them.
func TestC10NoSecretIsLogged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const canary = "c4n4ry-s3cr3t"
	r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"password": canary}))).created(t)
	r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"password": canary, "port": "x"}))).refused(t, 400, api.CodeBodyInvalid)
	r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"port": canary, "user_name": canary + "\n"}))).refused(t, 400, api.CodeBodyInvalid)
	r.send(http.MethodPost, create, `{"remote_install_meta":[{"password":"`+canary+`]}`).refused(t, 400, api.CodeBodyInvalid)
	r.send(http.MethodGet, listing+"?"+canary+"=1", "").refused(t, 400, api.CodeURLParameter)
	r.send(http.MethodGet, "/"+canary, "").refused(t, 404, api.CodeNotFound)
	r.send(http.MethodGet, listing, "", "X-Auth-Token", canary).refused(t, 401, api.CodeUnauthenticated)

	logs := r.logs.String()
	require.NotContains(t, logs, canary)
	require.NotContains(t, logs, r.token)
	require.Equal(t, 7, strings.Count(logs, `"msg":"request"`))
	require.Contains(t, logs, `"route":"/v3/{project_id}/agent-invocations/batch-create"`)
	require.Contains(t, logs, `"by":"token tester"`)
}
