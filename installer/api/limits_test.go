package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/policy"
)

// TestBServerDefaults: a daemon that says nothing of its limits has them all.
func TestBServerDefaults(t *testing.T) {
	t.Parallel()
	srv, used := api.BuiltServer(api.ServerLimits{})
	for name, limit := range map[string]time.Duration{
		"header": srv.ReadHeaderTimeout, "request": srv.ReadTimeout, "answer": srv.WriteTimeout, "idle": srv.IdleTimeout, "login": used.Login,
	} {
		require.Positive(t, limit, name)
		require.LessOrEqual(t, limit, 2*time.Minute, name)
	}
	require.LessOrEqual(t, srv.ReadHeaderTimeout, srv.ReadTimeout)
	require.LessOrEqual(t, srv.MaxHeaderBytes, 24<<10)
	require.Greater(t, srv.MaxHeaderBytes, 16384, "the longest token")
	require.Less(t, used.Login, srv.IdleTimeout)
	require.Less(t, used.Login, srv.ReadTimeout)
	require.LessOrEqual(t, srv.HTTP2.MaxConcurrentStreams, 8)
	require.LessOrEqual(t, srv.HTTP2.MaxReceiveBufferPerConnection, 256<<10)
	require.LessOrEqual(t, srv.HTTP2.MaxReadFrameSize, 64<<10)
	require.Positive(t, used.Conns)
	require.LessOrEqual(t, used.Conns, 512, "of the usual 1024 descriptors half are for hosts and the store")

	given := api.ServerLimits{Header: 1, Read: 2, Write: 3, Idle: 4, Conns: 5, Login: 6, ShutdownGrace: 7}
	srv, used = api.BuiltServer(given)
	require.Equal(t, given, api.ServerLimits{Header: srv.ReadHeaderTimeout, Read: srv.ReadTimeout, Write: srv.WriteTimeout, Idle: srv.IdleTimeout, Conns: used.Conns, Login: used.Login, ShutdownGrace: used.ShutdownGrace})
}

// TestListLimit: 100 where nothing is said, as the document has it.
func TestListLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(http.MethodPost, create, remoteInstall(entries(100)...)).created(t)
	r.send(http.MethodPost, create, remoteInstall(entries(1)...)).created(t)
	list := r.list("")
	require.Len(t, list.Invocations, 100)
	require.EqualValues(t, 101, list.Count)
	require.Len(t, r.list("?limit=100").Invocations, 100)
	require.Len(t, r.list("?offset=100").Invocations, 1)
}

// anyToken knows every token.
type anyToken struct{ api.Access }

func (anyToken) CheckToken(context.Context, string) (installer.Principal, error) {
	return installer.Principal{Kind: "token", Name: "any", Project: project, Rights: installer.FullRights}, nil
}

// TestC02TokensAreCapped: a longer one is not even looked up.
func TestC02TokensAreCapped(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *api.Config) { c.Access = anyToken{} })
	for n, want := range map[int]int{0: 401, 1: 200, 16384: 200, 16385: 401} {
		require.Equal(t, want, r.send(http.MethodGet, listing, "", "X-Auth-Token", strings.Repeat("a", n)).status, n)
	}
}

// TestC13DefaultRate: who says nothing of a rate has one.
func TestC13DefaultRate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	handler := newRig(t, func(c *api.Config) {
		c.Access, c.Clock, c.Logger = anyToken{}, func() time.Time { return now }, slog.New(slog.DiscardHandler)
	}).handler
	ask := func() int {
		w, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/nothing", nil)
		req.Header.Set("X-Auth-Token", "any")
		handler.ServeHTTP(w, req)
		return w.Code
	}
	for range 4 * api.DefaultRequestRate { // a burst
		require.Equal(t, http.StatusNotFound, ask())
	}
	require.Equal(t, http.StatusTooManyRequests, ask())
}

// TestItemMessagesFit: every item error has 1–128 characters, whatever is long.
func TestItemMessagesFit(t *testing.T) {
	t.Parallel()
	denied, err := policy.ParsePrefix("2001:db8:1111:2222:3333:4444:5555:6666")
	require.NoError(t, err)
	p, err := policy.New(nil, []netip.Prefix{denied})
	require.NoError(t, err)
	r := newRig(t, func(c *api.Config) { c.Policy = p.Check })
	long := func(n int) string { return strings.Repeat("a", 63) + "." + strings.Repeat("b", n) }
	imported := func(id, address string, via ...installer.Endpoint) {
		t.Helper()
		login := installer.Login{Password: installer.NewSecret("x")}
		e := installer.HostEntry{Host: installer.Host{ID: id, Via: via, Endpoint: installer.Endpoint{Address: address, Port: 22222, User: "root"}}, Credentials: installer.Credentials{Login: login}}
		for range via {
			e.Credentials.Via = append(e.Credentials.Via, login)
		}
		require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{e}))
	}
	fits := func(res api.Result, code api.Code) string {
		t.Helper()
		require.Equal(t, code, res.ErrorCode, res.ErrorMsg)
		require.NotEmpty(t, res.ErrorMsg)
		require.LessOrEqual(t, utf8.RuneCountInString(res.ErrorMsg), 128, res.ErrorMsg)
		return res.ErrorMsg
	}
	id := strings.Repeat("i", 64)
	imported(id, denied.Addr().String())
	require.Contains(t, fits(r.ask("INSTALL", nil, id)[0], api.ItemPolicyDenied), denied.Addr().String())
	imported(id, "fe80::1111:2222:3333:4444%"+strings.Repeat("z", 200))
	fits(r.ask("INSTALL", nil, id)[0], api.ItemPolicyDenied)
	unknown := asJSON(map[string]any{"invocation_type": "REMOTE_INSTALL", "instance_ids": names(100), "remote_install_meta": []any{host(nil)}})
	fits(r.send(http.MethodPost, create, unknown).created(t).Invocations[0], api.ItemUnknownJumpHost)

	imported("moved", long(50))
	done := r.ask("INSTALL", nil, "moved")[0]
	r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindRefused})
	imported("moved", long(60), installer.Endpoint{Address: long(40), Port: 22222, User: "root"})
	msg := fits(r.ask("RETRY", nil, done.InvocationID)[0], api.ItemNotAllowed)
	require.Equal(t, 128, utf8.RuneCountInString(msg), "cut: %s", msg)
	require.True(t, strings.HasSuffix(msg, "…"))
	for _, kind := range []string{"RETRY", "ROLLBACK"} {
		fits(r.ask(kind, nil, id)[0], api.ItemUnknownInvocation)
	}
	fits(r.ask("INSTALL", map[string]any{"version": strings.Repeat("9", 64), "version_type": "ADVANCE_VERSION"}, "moved")[0], api.ItemPackageMissing)
}
