package api_test

import (
	"maps"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/sshtest"
)

// otherRoutes are a host that is pinned, and jump hosts of which only "good" leads there:
// behind "evil" another machine has its address.
type otherRoutes struct {
	*rig
	target, fake *sshtest.Server
	asks         map[string]any // a REMOTE_INSTALL of the host without a login
}

func newOtherRoutes(t *testing.T, change ...func(*api.Config)) otherRoutes {
	w := otherRoutes{rig: newRig(t, change...), target: sshtest.Start(t, sshtest.Config{}), fake: sshtest.Start(t, sshtest.Config{})}
	to := w.target.Endpoint("root")
	w.asks = map[string]any{"remote_ip": to.Address, "port": strconv.Itoa(int(to.Port)), "password": nil}
	w.jump("good", w.target)
	w.jump("evil", w.fake)
	return w
}

// jump makes a jump host known that leads to a server where the target is asked for.
func (w otherRoutes) jump(id string, leadsTo *sshtest.Server) {
	w.t.Helper()
	config := sshtest.Config{}
	config.Forwarding.Names = map[string]string{w.target.Addr(): leadsTo.Addr()}
	at := sshtest.Start(w.t, config)
	w.imports(installer.Host{ID: id, Endpoint: at.Endpoint("root")}, at.Login("root"))
}

func (w otherRoutes) imports(h installer.Host, login installer.Login) {
	w.t.Helper()
	h.Type = installer.ECS
	require.NoError(w.t, w.store.RegisterHosts(w.t.Context(), project, []installer.HostEntry{{Host: h, Credentials: installer.Credentials{Login: login}}}))
}

func (w otherRoutes) set(id string) {
	w.t.Helper()
	w.ask("SET_REMOTE_INSTALLER", nil, id)
	w.work()
}

func (w otherRoutes) unset(id string) {
	w.t.Helper()
	require.NoError(w.t, w.store.UnsetInstallers(w.t.Context(), project, []string{id}))
}

// install asks for the host, with changes of the entry and of the request.
func (w otherRoutes) install(entry map[string]any, through ...string) api.Result {
	w.t.Helper()
	h := host(w.asks)
	maps.Copy(h, entry)
	body := map[string]any{"invocation_type": "REMOTE_INSTALL", "remote_install_meta": []any{h}}
	if len(through) > 0 {
		body["instance_ids"] = through
	}
	res := w.send(http.MethodPost, create, asJSON(body)).created(w.t).Invocations[0]
	require.Equal(w.t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
	return res
}

func (w otherRoutes) worked(res api.Result) installer.Invocation {
	w.t.Helper()
	w.work()
	inv, err := w.store.Invocation(w.t.Context(), project, res.InvocationID)
	require.NoError(w.t, err)
	return inv
}

func (w otherRoutes) succeeds(res api.Result) {
	w.t.Helper()
	inv := w.worked(res)
	require.Equal(w.t, installer.Succeeded, inv.State, inv.Message)
}

// TestNoLoginGoesToAnotherHostKey (C6, D13): a host that was pinned by one way has to
// show the same key by every other one, before any login is sent.
func TestNoLoginGoesToAnotherHostKey(t *testing.T) {
	t.Parallel()
	withPassword := map[string]any{"password": sshtest.DefaultPassword}
	withDefaultKey := map[string]any{"remote_use_pem": true}
	for name, asked := range map[string]func(w otherRoutes) api.Result{
		"kept, another jump host": func(w otherRoutes) api.Result {
			w.set("good")
			w.succeeds(w.install(withPassword))
			w.unset("good")
			w.set("evil")
			return w.install(nil)
		},
		"kept, the jump host is no known host any more": func(w otherRoutes) api.Result {
			w.set("good")
			w.succeeds(w.install(withPassword))
			w.unset("good")
			require.NoError(w.t, w.store.RemoveHosts(w.t.Context(), project, []string{"good"}))
			w.set("evil")
			return w.install(nil)
		},
		"kept, by its id": func(w otherRoutes) api.Result {
			w.set("good")
			first := w.install(withPassword)
			w.succeeds(first)
			w.unset("good")
			w.set("evil")
			return w.ask("INSTALL", nil, first.InstanceID)[0]
		},
		"of what is retried": func(w otherRoutes) api.Result {
			w.set("good")
			w.succeeds(w.install(withPassword))
			failed := w.install(withPassword)
			w.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindScriptFailed})
			w.unset("good")
			w.set("evil")
			return w.ask("RETRY", nil, failed.InvocationID)[0]
		},
		"imported": func(w otherRoutes) api.Result {
			w.set("good")
			to := installer.Host{ID: "web", Endpoint: w.target.Endpoint("root"), RouteChoice: &installer.RouteChoice{}}
			w.imports(to, w.target.Login("root"))
			w.succeeds(w.ask("INSTALL", nil, "web")[0])
			w.unset("good")
			w.set("evil")
			return w.ask("INSTALL", nil, "web")[0]
		},
		"default key, first directly": func(w otherRoutes) api.Result {
			w.succeeds(w.install(withDefaultKey))
			w.set("evil")
			return w.install(withDefaultKey)
		},
		"default key, first by a named jump host": func(w otherRoutes) api.Result {
			w.succeeds(w.install(withDefaultKey, "good"))
			return w.install(withDefaultKey, "evil")
		},
		"default key, host removed meanwhile": func(w otherRoutes) api.Result {
			first := w.install(withDefaultKey, "good")
			w.succeeds(first)
			require.NoError(w.t, w.store.RemoveHosts(w.t.Context(), project, []string{first.InstanceID}))
			return w.install(withDefaultKey, "evil")
		},
		"default key, pinned by the user": func(w otherRoutes) api.Result {
			to := installer.Host{ID: "web", Endpoint: w.target.Endpoint("root")}
			to.HostKey = w.target.HostKey()
			w.imports(to, w.target.Login("root"))
			w.set("evil")
			return w.install(withDefaultKey)
		},
		"given again": func(w otherRoutes) api.Result {
			w.set("good")
			w.succeeds(w.install(withPassword))
			w.unset("good")
			w.set("evil")
			return w.install(withPassword)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newOtherRoutes(t, func(c *api.Config) {
				c.DefaultLogins = map[string]installer.Login{project: {Password: installer.NewSecret(sshtest.DefaultPassword)}}
			})
			res := asked(w)
			require.Equal(t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
			inv := w.worked(res)
			assert.Equal(t, installer.KindHostKeyChanged, inv.Kind, inv.Message)
			assert.Equal(t, 1, w.fake.Counts().Connections, "it was asked for its key")
			assert.Empty(t, w.fake.Counts().Passwords)
		})
	}
}

// TestAnotherHostKeyIsTheUsersToAccept: who has its pin forgotten, or gives the key in a
// hosts file, is let through.
func TestAnotherHostKeyIsTheUsersToAccept(t *testing.T) {
	t.Parallel()
	for name, accept := range map[string]func(w otherRoutes) api.Result{
		"forgotten": func(w otherRoutes) api.Result {
			n, err := w.store.ForgetKeys(w.t.Context(), project, w.target.Addr())
			require.NoError(w.t, err)
			require.Equal(w.t, 1, n)
			return w.install(nil)
		},
		"given": func(w otherRoutes) api.Result {
			h := installer.Host{ID: "behind-evil", Endpoint: w.target.Endpoint("root"), RouteChoice: &installer.RouteChoice{}}
			h.HostKey = w.fake.HostKey()
			w.imports(h, w.fake.Login("root"))
			return w.ask("INSTALL", nil, h.ID)[0]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newOtherRoutes(t)
			w.set("good")
			w.succeeds(w.install(map[string]any{"password": sshtest.DefaultPassword}))
			w.unset("good")
			w.set("evil")
			w.succeeds(accept(w))
			assert.Len(t, w.fake.Counts().Passwords, 1)
		})
	}
}

// TestARouteWithoutAHostKeyIsNoOldOne: what was done where no key was checked is done again
// by the way that it was done by, and nowhere else.
func TestARouteWithoutAHostKeyIsNoOldOne(t *testing.T) {
	t.Parallel()
	for policy, code := range map[installer.HostKeyPolicy]api.Code{
		installer.Insecure: api.ItemNotAllowed, installer.AcceptNew: "",
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w := newOtherRoutes(t, func(c *api.Config) { c.HostKeys = policy })
			web := installer.Host{ID: "web", Endpoint: w.target.Endpoint("root")}
			w.imports(web, w.target.Login("root"))
			failed := w.install(map[string]any{"password": sshtest.DefaultPassword}) // or no policy is insecure
			w.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindScriptFailed})
			require.NoError(t, w.store.PinKey(t.Context(), project, w.target.Addr(), w.target.HostKey()))
			web.Via = []installer.Endpoint{{Address: "10.9.0.1", Port: 22, User: "root"}}
			creds := installer.Credentials{Login: w.target.Login("root"), Via: []installer.Login{w.target.Login("root")}}
			require.NoError(t, w.store.RegisterHosts(t.Context(), project, []installer.HostEntry{{Host: web, Credentials: creds}}))
			assert.Equal(t, code, w.ask("RETRY", nil, failed.InvocationID)[0].ErrorCode)
		})
	}
}
