package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
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

	_, err = r.client.Create(t.Context(), api.CreateRequest{InvocationType: "X"})
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
	c := &api.Client{BaseURL: srv.URL, Project: project, Token: installer.NewSecret("t"), HTTP: &http.Client{Transport: transport}}
	_, err := c.Create(t.Context(), request("REMOTE_INSTALL"))
	e, ok := errors.AsType[*api.Error](err)
	require.True(t, ok)
	require.Equal(t, http.StatusTemporaryRedirect, e.Status)
}

// TestC10RequestTypesShowNoPassword: only Client.Create encodes one.
func TestC10RequestTypesShowNoPassword(t *testing.T) {
	t.Parallel()
	req := api.CreateRequest{InvocationType: "REMOTE_INSTALL", Hosts: []installer.HostEntry{{Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("hunter2")}}}}}
	raw, err := json.Marshal(req)
	require.NoError(t, err)
	require.NotContains(t, string(raw)+fmt.Sprintf("%v %+v %#v", req, req, req), "hunter2")
}

func ExampleClient_Create() {
	client := &api.Client{
		BaseURL: "http://127.0.0.1:8440",
		Project: "p-one",
		Token:   installer.NewSecret("what `tripod tokens add` printed"),
	}
	made, err := client.Create(context.Background(), api.CreateRequest{
		InvocationType: "REMOTE_INSTALL",
		Hosts: []installer.HostEntry{{
			Host:        installer.Host{Name: "web-1", Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 22, User: "root"}},
			Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("correct horse")}},
		}},
	})
	if e, ok := errors.AsType[*api.Error](err); ok {
		fmt.Println("refused:", e.Code, e.Msg)
		return
	}
	for _, res := range made.Invocations {
		if res.RetStatus == api.RetError {
			fmt.Println(res.InstanceID, res.ErrorCode, res.ErrorMsg)
			continue
		}
		page, _ := client.List(context.Background(), installer.Filter{InvocationID: res.InvocationID})
		fmt.Println(page.Invocations[0].InvocationStatus)
	}
}
