package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/apitest"
)

// TestKeptLoginBringsItsSudoPassword: a REMOTE_INSTALL that brings no login takes
// all of the kept one; one that brings its own takes nothing of it.
func TestKeptLoginBringsItsSudoPassword(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := installer.NewSecret("the host's key")
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{{
		Host:        installer.Host{ID: "web-1", Endpoint: installer.Endpoint{Address: "10.0.0.2", Port: 22, User: "ops"}},
		Credentials: installer.Credentials{Login: installer.Login{PrivateKey: key}, SudoPassword: installer.NewSecret("sudo")},
	}}))
	ask := func(h installer.HostEntry) installer.Credentials {
		t.Helper()
		made, err := r.client.Create(t.Context(), apitest.CreateRequest{InvocationType: "REMOTE_INSTALL", Hosts: []installer.HostEntry{h}})
		require.NoError(t, err)
		_, creds := r.stored(made.Invocations[0])
		return creds
	}
	creds := ask(installer.HostEntry{Host: installer.Host{Endpoint: installer.Endpoint{Address: "10.0.0.2", User: "ops"}}})
	require.Equal(t, key.Reveal(), creds.PrivateKey.Reveal())
	require.Equal(t, "sudo", creds.SudoPassword.Reveal())
	require.Empty(t, creds.Via)

	creds = ask(installer.HostEntry{Host: installer.Host{Endpoint: installer.Endpoint{Address: "10.0.0.2", User: "ops"}}, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("given")}}})
	require.Equal(t, "given", creds.Password.Reveal())
	require.Empty(t, creds.SudoPassword.Reveal())
}
