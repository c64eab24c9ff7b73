package control_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
	"tripod/installer/engine"
	"tripod/installer/plan"
	"tripod/store"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "12") // they wait more than they compute
	goleak.VerifyTestMain(m)
}

// rig is a daemon's listener on a real store, without an engine.
type rig struct {
	t      testing.TB
	store  *store.Store
	hub    *control.Hub
	server *httptest.Server
	token  string
	client *control.Client
	down   atomic.Bool // requests are cut off
	served atomic.Int64
}

const project = "p-one"

func newRig(t testing.TB) *rig {
	t.Helper()
	st, err := store.Open(t.TempDir()+"/state", store.Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	r := &rig{t: t, store: st, hub: control.NewHub()}
	log := slog.New(slog.DiscardHandler)
	planner := plan.NewPlanner(plan.Planner{Store: st, Policy: func(a netip.Addr) error {
		if a.IsLoopback() {
			return fmt.Errorf("%s is loopback", a)
		}
		return nil
	}})
	handler := api.New(api.Config{
		Planner: planner, Access: st, Logger: log, RequestRate: 100_000,
		Routes: control.Routes(control.Config{Store: st, Hub: r.hub, Engine: control.NoEngine{}, Planner: planner}),
	})
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.down.Load() {
			panic(http.ErrAbortHandler)
		}
		r.served.Add(1)
		handler.ServeHTTP(w, req)
	}))
	t.Cleanup(r.server.Close)
	t.Cleanup(r.hub.Close)
	r.token = r.addToken(project)
	r.client = r.connect(r.token)
	return r
}

func (r *rig) addToken(project string) string {
	r.t.Helper()
	token, err := r.store.AddToken(r.t.Context(), project, "tester", installer.FullRights)
	require.NoError(r.t, err)
	return token
}

func (r *rig) connect(token string) *control.Client {
	r.t.Helper()
	transport := &http.Transport{}
	r.t.Cleanup(transport.CloseIdleConnections)
	c, err := control.Connect(r.t.Context(), &api.Client{
		BaseURL: r.server.URL, Token: installer.NewSecret(token), HTTP: &http.Client{Transport: transport},
	})
	require.NoError(r.t, err)
	return c
}

func (r *rig) addHosts(entries []installer.HostEntry) error {
	_, err := control.AddHosts.Call(r.t.Context(), r.client, control.HostEntries{Hosts: entries})
	return err
}

// request is about n hosts, each with a password of its own and all with one key for
// the way.
func request(n int) plan.Request {
	hop := installer.Endpoint{Address: "192.0.2.1", Port: 22, User: "jump"}
	key := installer.NewSecret("the key of the jump host")
	req := plan.Request{
		Project: project, BatchID: ulid.Make().String(), Source: "test", Task: installer.Install,
		Spec: installer.Spec{Target: "other", HostKeys: installer.AcceptNew},
	}
	for i := range n {
		at := fmt.Sprintf("10.1.%d.%d", i/250, i%250+1)
		req.Hosts = append(req.Hosts, installer.HostEntry{
			Host: installer.Host{
				ID: installer.InstanceID(project, at, 22), Name: "web", Type: installer.ECS,
				Endpoint: installer.Endpoint{Address: at, Port: 22, User: "root"}, Via: []installer.Endpoint{hop},
			},
			Credentials: installer.Credentials{
				Login: installer.Login{Password: installer.NewSecret(fmt.Sprintf("password %d", i))},
				Via:   []installer.Login{{PrivateKey: key}},
			},
		})
	}
	return req
}

// retry is a request for another try.
func retry(of ...string) plan.Request {
	return plan.Request{Project: project, BatchID: ulid.Make().String(), Task: installer.Retry, Of: of}
}

// sent is a batch that is stored.
type sent struct {
	ID   string
	Invs []installer.Invocation // in its order
}

func (r *rig) sent(n int, change ...func(*plan.Request)) sent {
	r.t.Helper()
	req := request(n)
	for _, c := range change {
		c(&req)
	}
	return r.stored(r.client.Submit(r.t.Context(), req))
}

func (r *rig) stored(p control.Planned, err error) sent {
	r.t.Helper()
	require.NoError(r.t, err)
	page, err := r.store.Invocations(r.t.Context(), installer.Filter{ProjectID: p.Batch.ProjectID, BatchID: p.Batch.ID})
	require.NoError(r.t, err)
	slices.Reverse(page.Invocations)
	return sent{p.Batch.ID, page.Invocations}
}

// work ends the batch's invocations as an engine would: the first ones fail.
func (r *rig) work(batchID string, fail int, watch func(installer.Event)) {
	r.t.Helper()
	done := 0
	d := engine.New(engine.Config{
		Queue: r.store, Only: installer.ClaimFilter{BatchID: batchID}, StopWhenIdle: true, Parallel: 1, Watch: watch,
		Worker: installerFunc(func(context.Context, *installer.Job) (installer.Outcome, error) {
			if done++; done <= fail {
				return installer.Outcome{}, installer.Fail(installer.KindScriptFailed, "no")
			}
			return installer.Outcome{Message: "fine"}, nil
		}),
	})
	require.NoError(r.t, d.Run(r.t.Context()))
}

type installerFunc func(context.Context, *installer.Job) (installer.Outcome, error)

func (f installerFunc) Work(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
	return f(ctx, job)
}

func readAll(t testing.TB, r io.ReadCloser) string {
	t.Helper()
	raw, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(raw)
}
