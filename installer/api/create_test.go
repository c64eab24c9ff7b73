package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
)

// entries are n good hosts, each with an address of its own.
func entries(n int) []map[string]any {
	list := make([]map[string]any, n)
	for i := range list {
		list[i] = host(map[string]any{"remote_ip": fmt.Sprintf("10.0.%d.%d", i/200, i%200+1)})
	}
	return list
}

// TestBCounts: 0, 1, 100 and 101 hosts or ids, for every type.
func TestBCounts(t *testing.T) {
	t.Parallel()
	for n, accepted := range map[int]bool{0: false, 1: true, 100: true, 101: false} {
		t.Run(fmt.Sprint(n, " hosts"), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			a := r.send(http.MethodPost, create, remoteInstall(entries(n)...))
			if !accepted {
				a.refused(t, http.StatusBadRequest, api.CodeBodyInvalid, "remote_install_meta: ")
				r.nothingStored()
				return
			}
			made := a.created(t)
			require.Len(t, made.Invocations, n)
			page, err := r.client.List(t.Context(), installer.Filter{})
			require.NoError(t, err)
			require.EqualValues(t, n, page.Count)
			require.EqualValues(t, 1, r.wakes.Load())
		})
		for kind, field := range map[string]string{
			"SET_REMOTE_INSTALLER": "instance_ids", "INSTALL": "instance_ids", "UPDATE": "instance_ids",
			"RETRY": "invocation_ids", "ROLLBACK": "invocation_ids",
		} {
			t.Run(fmt.Sprint(n, " ids for ", kind), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				a := r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": kind, field: names(n)}))
				if accepted {
					require.Len(t, a.created(t).Invocations, n)
				} else {
					a.refused(t, http.StatusBadRequest, api.CodeBodyInvalid, field+": ")
				}
				r.nothingStored()
			})
		}
	}
}

// names are n ids that nothing has.
func names(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("id-", i)
	}
	return ids
}

func TestRemoteInstallIsStoredWhole(t *testing.T) {
	t.Parallel()
	spec := installer.Spec{
		Script:   &installer.BlobRef{SHA256: strings.Repeat("a", 64), Size: 3, Name: "install.sh"},
		HostKeys: installer.Strict,
	}
	r := newRig(t, func(c *api.Config) { c.Fallback, c.HostKeys = spec, spec.HostKeys })
	body := `{"invocation_type":"REMOTE_INSTALL","invocation_target":"telescope","version":"2.7.2","version_type":"ADVANCE_VERSION",
		"origin":"ADMIN_SERVER","a_later_field":{"x":null},"remote_install_meta":[` +
		asJSON(host(map[string]any{"port": "2222", "user_name": "admin"})) + `,` +
		`{"remote_ip":"203.0.113.9","user_name":"root","password":"x"},` +
		`{"remote_ip":"10.0.0.9","user_name":"root","port":22,"password":"y"}]}`
	made := r.send(http.MethodPost, create, body).created(t)
	require.Len(t, made.Invocations, 3)
	for _, res := range made.Invocations {
		require.Regexp(t, `^[a-zA-Z0-9-]{1,64}$`, res.InvocationID)
		require.Regexp(t, `^[a-zA-Z0-9-]{1,64}$`, res.InstanceID)
		require.Equal(t, api.RetSuccessful, res.RetStatus)
		require.Empty(t, res.ErrorCode)
	}
	inv, err := r.store.Invocation(t.Context(), project, made.Invocations[0].InvocationID)
	require.NoError(t, err)
	require.Equal(t, installer.InstanceID(project, "10.0.0.1", 2222), made.Invocations[0].InstanceID)
	require.Equal(t, installer.Host{
		ID: made.Invocations[0].InstanceID, Name: "web-1", Type: installer.ECS, IntranetIPs: []string{"10.0.0.1"},
		Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 2222, User: "admin"},
	}, inv.Host)
	require.Equal(t, installer.Spec{
		Target: "telescope", Version: "2.7.2", VersionType: "ADVANCE_VERSION", Origin: "ADMIN_SERVER",
		Script: spec.Script, HostKeys: installer.Strict,
	}, inv.Spec)
	require.Equal(t, installer.Pending, inv.State)
	require.Equal(t, inv.ID, inv.RunID)

	inv, err = r.store.Invocation(t.Context(), project, made.Invocations[1].InvocationID)
	require.NoError(t, err)
	require.Equal(t, installer.Endpoint{Address: "203.0.113.9", Port: 22, User: "root"}, inv.Host.Endpoint)
	require.Equal(t, "203.0.113.9", inv.Host.Name)
	require.Equal(t, []string{"203.0.113.9"}, inv.Host.ElasticIPs)

	// The same host, asked for again, is the same instance.
	again := r.send(http.MethodPost, create, body).created(t)
	require.Equal(t, made.Invocations[0].InstanceID, again.Invocations[0].InstanceID)
	require.NotEqual(t, made.Invocations[0].InvocationID, again.Invocations[0].InvocationID)
}

// TestBPasswordsByteExact reads them back as the engine will.
func TestBPasswordsByteExact(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, password := range []string{
		"x", strings.Repeat("p", 3000), strings.Repeat("é", 3000), "пароль 密码 🔑", `"quotes'\backslash`, "  ends  ", "<&>\u2028", "a\tb\nc", "$(id)`id`",
	} {
		res := r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"password": password}))).created(t).Invocations[0]
		creds, err := r.kept(res.InstanceID)
		require.NoError(t, err)
		require.Equal(t, password, creds.Password.Reveal())
	}
	for _, password := range []string{"", strings.Repeat("p", 3001)} {
		r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"password": password}))).
			refused(t, http.StatusBadRequest, api.CodeBodyInvalid, "remote_install_meta[0].password: ")
	}
}

func TestRefusedItemsDoNotKeepTheOthersBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, denyLoopback)
	made := r.send(http.MethodPost, create, remoteInstall(
		host(map[string]any{"remote_ip": "127.0.0.1"}),
		host(nil),
		host(map[string]any{"remote_ip": "10.0.0.2", "password": "", "remote_use_pem": true}),
		host(map[string]any{"remote_ip": "10.0.0.3", "password": nil}),
	)).created(t).Invocations
	require.Equal(t, api.Result{
		InstanceID: installer.InstanceID(project, "127.0.0.1", 22), RetStatus: api.RetError, ErrorCode: api.ItemPolicyDenied,
		ErrorMsg: "policy-denied: 127.0.0.1 is a loopback address",
	}, made[0])
	require.Equal(t, api.RetSuccessful, made[1].RetStatus)
	for _, res := range made[2:] {
		require.Equal(t, api.RetError, res.RetStatus)
		require.Equal(t, api.ItemCredentialMissing, res.ErrorCode)
		require.Empty(t, res.InvocationID)
		require.Regexp(t, `^invocationmgr\.[0-9]{4}$`, res.ErrorCode)
		require.LessOrEqual(t, len([]rune(res.ErrorMsg)), 128)
	}
	page, err := r.client.List(t.Context(), installer.Filter{})
	require.NoError(t, err)
	require.EqualValues(t, 1, page.Count)

	// Nothing that can be done: nothing is stored, and nobody is woken.
	r = newRig(t, denyLoopback)
	r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"remote_ip": "127.0.0.1"}))).created(t)
	r.nothingStored()
}

// TestCredentialOrder: the request's own, what is kept, the project's key.
func TestCredentialOrder(t *testing.T) {
	t.Parallel()
	key := installer.Login{PrivateKey: installer.NewSecret("the project's key")}
	r := newRig(t, func(c *api.Config) {
		c.DefaultLogins = map[string]installer.Login{project: key}
	})
	login := func(change map[string]any) installer.Login {
		res := r.send(http.MethodPost, create, remoteInstall(host(change))).created(t).Invocations[0]
		require.Equal(t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
		creds, err := r.kept(res.InstanceID)
		require.NoError(t, err)
		return creds.Login
	}
	require.Equal(t, key, login(map[string]any{"remote_ip": "10.0.0.9", "password": nil}), "nothing given, nothing kept")
	require.Equal(t, "own", login(map[string]any{"password": "own"}).Password.Reveal())
	require.Equal(t, "own", login(map[string]any{"password": nil}).Password.Reveal(), "kept from before")
	require.Equal(t, key, login(map[string]any{"password": "", "remote_use_pem": true}), "asked for by name")
}

// TestConcurrentCreates: whatever was acknowledged is there, once.
func TestConcurrentCreates(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				made, err := r.client.Create(t.Context(), apitest.CreateRequest{InvocationType: "REMOTE_INSTALL", Hosts: []installer.HostEntry{
					{Host: installer.Host{Endpoint: installer.Endpoint{Address: "10.0.0.1", User: "root"}}, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("x")}}},
					{Host: installer.Host{Endpoint: installer.Endpoint{Address: "10.0.0.2", User: "root"}}, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("x")}}},
				}})
				if !assert.NoError(t, err) {
					return
				}
				mu.Lock()
				for _, res := range made.Invocations {
					acknowledged[res.InvocationID] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, acknowledged, 80)
	page, err := r.client.List(t.Context(), installer.Filter{})
	require.NoError(t, err)
	require.EqualValues(t, 80, page.Count)
	for _, item := range page.Invocations {
		require.True(t, acknowledged[item.InvocationID])
	}
}
