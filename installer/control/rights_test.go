package control_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/control"
)

// TestC01EveryRouteWantsALogin walks the table: nobody without a login, nobody of
// another project, and nothing changes for one who may only look.
func TestC01EveryRouteWantsALogin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := r.addToken("p-two")
	reader, err := r.store.AddToken(t.Context(), project, "reader", installer.ReadRights)
	require.NoError(t, err)
	status := func(method, path, token string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, r.server.URL+path, strings.NewReader("{}"))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if token != "" {
			req.Header.Set("X-Auth-Token", token)
		}
		resp, err := r.server.Client().Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode
	}
	routes := control.Routes(control.Config{})
	require.Greater(t, len(routes), 20)
	changing := 0
	for _, route := range routes {
		require.NotEmpty(t, route.Rights, route.Pattern)
		path := strings.ReplaceAll(route.Pattern, "{project_id}", project)
		name := route.Method + " " + path
		require.Equal(t, http.StatusUnauthorized, status(route.Method, path, ""), name)
		require.Equal(t, http.StatusUnauthorized, status(route.Method, path, other[:len(other)-1]+"x"), name)
		if strings.Contains(route.Pattern, "{project_id}") {
			require.Equal(t, http.StatusForbidden, status(route.Method, path, other), name)
		}
		if route.Rights == installer.FullRights {
			changing++
			require.Equal(t, http.StatusForbidden, status(route.Method, path, reader), name)
		}
	}
	require.Greater(t, changing, 10)
}

// TestWhatAllShareIsTheOperators: another project's login does not decide what is
// installed as root on everybody's hosts.
func TestWhatAllShareIsTheOperators(t *testing.T) {
	t.Parallel()
	r := newRig(t) // nobody is the operator
	_, err := control.AddPackage.Call(t.Context(), r.client, installer.Package{})
	require.ErrorContains(t, err, "operator")
	_, err = control.RemovePackage.Call(t.Context(), r.client, control.ID{ID: strings.Repeat("a", 64)})
	require.ErrorContains(t, err, "operator")
	all, err := control.ListPackages.Call(t.Context(), r.client, control.OfTarget{})
	require.NoError(t, err)
	require.Empty(t, all)
}
