package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

// TestBOverHTTP2: a TLS listener speaks it, with the same limits and answers.
func TestBOverHTTP2(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	r := newRig(t)
	address, stop := serve(t, api.ServerConfig{Handler: r.handler, CertFile: cert, KeyFile: key})
	short, stopShort := serve(t, api.Limited(api.ServerConfig{Handler: r.handler, CertFile: cert, KeyFile: key}, api.ServerLimits{Read: 5 * time.Second})) // the TLS handshake is under it too
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: trusting(t, cert)}
	sendTo := func(address, method, path string, body io.Reader, change ...func(*http.Request)) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+address+path, body)
		require.NoError(t, err)
		req.Header.Set("X-Auth-Token", r.token)
		for _, c := range change {
			c(req)
		}
		resp, err := (&http.Client{Transport: transport}).Do(req)
		require.NoError(t, err)
		require.Equal(t, 2, resp.ProtoMajor)
		return read(t, resp)
	}
	send := func(method, path string, body io.Reader, change ...func(*http.Request)) answer {
		t.Helper()
		return sendTo(address, method, path, body, change...)
	}
	good := remoteInstall(host(nil))
	half, more := io.Pipe() // a body that does not end
	go func() { _, _ = io.WriteString(more, good[:10]) }()
	slow := sendTo(short, http.MethodPost, create, half)
	require.NoError(t, more.Close())
	slow.refused(t, http.StatusRequestTimeout, api.CodeInvalidRequest)
	send(http.MethodPost, create, strings.NewReader(good+strings.Repeat(" ", api.MaxBody))).refused(t, http.StatusRequestEntityTooLarge, api.CodeTooLarge)
	send(http.MethodPost, create, io.MultiReader(strings.NewReader(good), strings.NewReader(strings.Repeat(" ", api.MaxBody)))).
		refused(t, http.StatusRequestEntityTooLarge, api.CodeTooLarge) // without a length
	send(http.MethodPost, create, strings.NewReader(good), func(req *http.Request) { req.Header.Set("Content-Encoding", "gzip") }).
		refused(t, http.StatusUnsupportedMediaType, api.CodeInvalidRequest)
	send(http.MethodPost, create, strings.NewReader(good+"{}")).refused(t, http.StatusBadRequest, api.CodeBodyInvalid, "document: ")
	send(http.MethodDelete, create, nil).refused(t, http.StatusMethodNotAllowed, api.CodeInvalidRequest)
	send(http.MethodGet, listing, nil, func(req *http.Request) { req.Header.Del("X-Auth-Token") }).refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
	send(http.MethodGet, "/v3/%2e%2e%2f/agent-invocations", nil).refused(t, http.StatusBadRequest, api.CodeProjectInvalid)
	r.nothingStored()
	require.Equal(t, api.RetSuccessful, send(http.MethodPost, create, strings.NewReader(good)).created(t).Invocations[0].RetStatus)
	page, err := r.client.List(t.Context(), installer.Filter{})
	require.NoError(t, err)
	require.EqualValues(t, 1, page.Count)
	transport.CloseIdleConnections()
	require.NoError(t, stop())
	require.NoError(t, stopShort())
}
