package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
)

func TestClientErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bad := r.clientFor(project, "wrong")
	_, err := bad.List(t.Context(), installer.Filter{})
	e, ok := errors.AsType[*api.Error](err)
	require.True(t, ok)
	require.Equal(t, http.StatusUnauthorized, e.Status)
	require.Equal(t, api.CodeUnauthenticated, e.Code)
	require.NotEmpty(t, e.RequestID)
	require.NotContains(t, err.Error(), "wrong")

	_, err = r.client.Create(t.Context(), apitest.CreateRequest{InvocationType: "X"})
	require.ErrorContains(t, err, "invocation_type: must be one of")

	for _, base := range []string{"http://127.0.0.1:1", "://", ""} {
		bad.BaseURL = base
		require.Error(t, bad.Health(t.Context()))
	}
}

// TestClientFollowsNoRedirect: the token is for one server only.
func TestClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	srv := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := &apitest.Client{Client: api.Client{BaseURL: srv.URL, Project: project, Token: installer.NewSecret("t"), HTTP: &http.Client{Transport: transport}}}
	_, err := c.Create(t.Context(), request("REMOTE_INSTALL"))
	e, ok := errors.AsType[*api.Error](err)
	require.True(t, ok)
	require.Equal(t, http.StatusTemporaryRedirect, e.Status)
}

// TestC10RequestTypesShowNoPassword: only Client.Create encodes one.
func TestC10RequestTypesShowNoPassword(t *testing.T) {
	t.Parallel()
	req := apitest.CreateRequest{InvocationType: "REMOTE_INSTALL", Hosts: []installer.HostEntry{{Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("hunter2")}}}}}
	raw, err := json.Marshal(req)
	require.NoError(t, err)
	require.NotContains(t, string(raw)+fmt.Sprintf("%v %+v %#v", req, req, req), "hunter2")
}
