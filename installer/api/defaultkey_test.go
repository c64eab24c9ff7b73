package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
)

// TestDefaultKeyIsOfOneProject: whoever may ask for work in another project is
// not let in with it, neither on a known host nor on one of a REMOTE_INSTALL.
func TestDefaultKeyIsOfOneProject(t *testing.T) {
	t.Parallel()
	key := installer.Login{PrivateKey: installer.NewSecret("the first project's key")}
	r := newRig(t, func(c *api.Config) {
		c.DefaultLogins = map[string]installer.Login{project: key}
	})
	ask := func(of *apitest.Client, p string) []api.Result {
		require.NoError(t, r.store.RegisterHosts(t.Context(), p, []installer.HostEntry{
			{Host: installer.Host{ID: "web-1", Endpoint: installer.Endpoint{Address: "10.0.0.2", Port: 22, User: "root"}}},
		}))
		known, err := of.Create(t.Context(), apitest.CreateRequest{InvocationType: "INSTALL", InstanceIDs: []string{"web-1"}})
		require.NoError(t, err)
		remote, err := of.Create(t.Context(), apitest.CreateRequest{
			InvocationType: "REMOTE_INSTALL", Hosts: []installer.HostEntry{{Host: installer.Host{Endpoint: installer.Endpoint{Address: "10.0.0.3", User: "root"}}, DefaultKey: true}},
		})
		require.NoError(t, err)
		return append(known.Invocations, remote.Invocations...)
	}
	for _, res := range ask(r.client, project) {
		_, creds := r.stored(res)
		require.Equal(t, key, creds.Login)
	}
	for _, res := range ask(r.clientFor("p-two", r.addToken("p-two", "other")), "p-two") {
		itemRefused(t, res, api.ItemCredentialMissing, "the project has no default key")
	}
}
