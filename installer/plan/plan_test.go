package plan_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
	"tripod/installer/engine"
	"tripod/installer/plan"
	"tripod/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const project = "p-one"

// rig is a planner on a real store.
type rig struct {
	*plan.Planner
	t     *testing.T
	store *store.Store
}

func newRig(t *testing.T) *rig {
	t.Helper()
	st, err := store.Open(t.TempDir()+"/state", store.Options{KeepSucceeded: time.Hour, KeepOther: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	return &rig{t: t, store: st, Planner: plan.NewPlanner(plan.Planner{
		Store: st,
		Policy: func(a netip.Addr) error {
			if a.IsLoopback() {
				return fmt.Errorf("%s is loopback", a)
			}
			return nil
		},
	})}
}

func password(text string) installer.Credentials {
	return installer.Credentials{Login: installer.Login{Password: installer.NewSecret(text)}}
}

// hosts are 10.0.0.1 and so on.
func hosts(n int) (all []installer.HostEntry) {
	for i := range n {
		at := fmt.Sprintf("10.0.0.%d", i+1)
		all = append(all, installer.HostEntry{
			Where:       fmt.Sprintf("hosts.txt:%d", i+1),
			Host:        installer.Host{ID: installer.InstanceID(project, at, 22), Endpoint: installer.Endpoint{Address: at, Port: 22, User: "root"}},
			Credentials: password("of " + at),
		})
	}
	return all
}

func install(n int) plan.Request {
	return plan.Request{
		Project: project, Task: installer.Install, Interactive: true, Hosts: hosts(n),
		Spec: installer.Spec{Target: "other", HostKeys: installer.AcceptNew},
	}
}

// ends works through all that is open; the hosts named fail.
func (r *rig) ends(fail ...string) {
	r.t.Helper()
	d := engine.New(engine.Config{
		Queue: r.store, StopWhenIdle: true, Parallel: 1,
		Worker: worker(func(_ context.Context, job *installer.Job) (installer.Outcome, error) {
			if slices.Contains(fail, job.Invocation.Host.Address) {
				return installer.Outcome{}, installer.Fail(installer.KindScriptFailed, "no")
			}
			return installer.Outcome{Changed: true, TargetVersion: "2"}, nil
		}),
	})
	require.NoError(r.t, d.Run(r.t.Context()))
}

// beforeSubmit is a ledger that other work gets into between a plan and its Submit.
type beforeSubmit struct {
	*store.Store
	do func()
}

func (l beforeSubmit) Submit(ctx context.Context, b installer.Batch) error {
	l.do()
	return l.Store.Submit(ctx, b)
}

type worker func(context.Context, *installer.Job) (installer.Outcome, error)

func (w worker) Work(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
	return w(ctx, job)
}

func (r *rig) submit(req plan.Request) *plan.Plan {
	r.t.Helper()
	p, err := r.Submit(r.t.Context(), req)
	require.NoError(r.t, err)
	return p
}

func standings(p *plan.Plan) (all []plan.Standing) {
	for _, item := range p.Items {
		all = append(all, item.Standing)
	}
	return all
}

// TestAllOrNothing: whoever waits for the whole is told all that is wrong, each with
// its place, and nothing is stored; who does not gets what can be done.
func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := install(3)
	req.Hosts[0].Host.Address = "127.0.0.1"
	req.Hosts[2].Credentials = installer.Credentials{}
	_, err := r.Submit(t.Context(), req)
	require.EqualError(t, err, "hosts.txt:1: policy-denied: 127.0.0.1 is loopback\n"+
		"hosts.txt:3: credential-missing: no password or key was given or is kept, and the project has no default key")
	heads, err := r.store.Batches(t.Context(), project, 1)
	require.NoError(t, err)
	require.Empty(t, heads)
	req.Interactive = false
	assert.Equal(t, []plan.Standing{plan.Refused, plan.New, plan.Refused}, standings(r.submit(req)))
}

// TestMissingLoginsAreAKindOfTheirOwn: they are asked for again.
func TestMissingLoginsAreAKindOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := install(2)
	req.Hosts[1].Credentials = installer.Credentials{}
	_, err := r.Submit(t.Context(), req)
	var missing *plan.MissingCredentials
	require.ErrorAs(t, err, &missing)
	require.Len(t, missing.Faults, 1)
	r.DefaultLogins = map[string]installer.Login{project: password("default").Login}
	p := r.submit(req)
	require.Equal(t, "default", p.Items[1].Credentials.Password.Reveal())
	require.Equal(t, []string{"password", "kept"}, []string{p.Items[0].Login, p.Items[1].Login})
}

// TestKnownHostsAreAdopted: one that was imported under an id of its own is not to
// become a second one, and what was said of it counts.
func TestKnownHostsAreAdopted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	known := hosts(1)
	known[0].Host.ID, known[0].Host.Labels = "i-1", map[string]string{"env": "prod"}
	known[0].Host.HostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIG4hcPmTaEVDbgPDDFPLfsYGFcuK4ZcvZK0Cg8PwBtd"
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, known))
	req := install(2)
	req.Hosts[0].Credentials = installer.Credentials{}
	p := r.submit(req)
	h := p.Items[0].Invocation.Host
	assert.Equal(t, "i-1", h.ID)
	assert.Equal(t, known[0].Host.Labels, h.Labels)
	assert.Equal(t, known[0].Host.HostKey, h.HostKey)
	assert.Equal(t, "of 10.0.0.1", p.Items[0].Credentials.Password.Reveal())
	assert.NotEqual(t, "i-1", p.Items[1].Invocation.Host.ID)

	req = install(1)
	req.Hosts[0].Host.ID = "another"
	assert.Equal(t, "another", r.submit(req).Items[0].Invocation.Host.ID, "the request gives it one")
}

// TestTheSameWorkIsGoneOnWith, in any order of the hosts, with the logins of now.
func TestTheSameWorkIsGoneOnWith(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := install(3)
	req.Resume, req.MaxFailures = true, plan.FailureLimit{N: 40, Percent: true}
	first := r.submit(req)
	require.Nil(t, first.Resumed)
	require.Equal(t, 2, first.Limit(), "rounded up")
	again := req
	again.Hosts = hosts(3)
	slices.Reverse(again.Hosts)
	again.Hosts[0].Credentials = password("typed again")
	p := r.submit(again)
	require.NotNil(t, p.Resumed)
	require.Equal(t, first.BatchID, p.BatchID)
	creds, err := r.store.Credentials(t.Context(), &first.Items[2].Invocation)
	require.NoError(t, err)
	require.Equal(t, "typed again", creds.Password.Reveal())
	for name, change := range map[string]func(*plan.Request){
		"task":    func(req *plan.Request) { req.Task = installer.Update },
		"version": func(req *plan.Request) { req.Spec.Version = "2" },
		"hosts":   func(req *plan.Request) { req.Hosts = hosts(2) },
		"not":     func(req *plan.Request) { req.Resume = false },
	} {
		other := req
		other.Hosts = hosts(3)
		change(&other)
		require.Nil(t, r.submit(other).Resumed, name)
	}
	r.ends()
	require.Nil(t, r.submit(req).Resumed, "it has ended")
}

// TestTheSameWorkAtOnce: two that ask for the same work at the same time make one batch of it.
func TestTheSameWorkAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := install(3)
	first.Resume = true
	second := first
	second.Hosts = hosts(3)
	second.Hosts[0].Credentials = password("typed again")
	var one *plan.Plan
	between := *r.Planner
	r.Store = beforeSubmit{r.store, sync.OnceFunc(func() {
		var err error
		one, err = between.Submit(t.Context(), first)
		require.NoError(t, err)
	})}
	two := r.submit(second)
	require.NotNil(t, two.Resumed)
	require.Equal(t, one.BatchID, two.BatchID)
	creds, err := r.store.Credentials(t.Context(), &one.Items[0].Invocation)
	require.NoError(t, err)
	require.Equal(t, "typed again", creds.Password.Reveal())
}

// TestLatest: a second retry of the same neither doubles what goes on nor repeats
// what is done, whatever it is named by.
func TestLatest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.submit(install(3))
	r.ends("10.0.0.1", "10.0.0.2")
	retry := plan.Request{Project: project, Task: installer.Retry, Interactive: true, Of: []string{first.BatchID}, Hosts: hosts(2)}
	p := r.submit(retry)
	require.Equal(t, []plan.Standing{plan.New, plan.New, plan.Done}, standings(p))
	require.Equal(t, "of 10.0.0.1", p.Items[0].Credentials.Password.Reveal())
	once := p.Items[0].Invocation
	require.Equal(t, first.Items[0].Invocation.ID, once.RunID)

	retry.Of = []string{first.BatchID, once.ID}
	retry.Hosts[0].Credentials = password("typed again")
	p = r.submit(retry)
	require.Equal(t, []plan.Standing{plan.Open, plan.Open, plan.Done}, standings(p), "and the RETRY is not named twice")
	require.Zero(t, p.Accepted())
	require.Equal(t, once.ID, p.Items[0].Invocation.ID)
	creds, err := r.store.Credentials(t.Context(), &once)
	require.NoError(t, err)
	require.Equal(t, "typed again", creds.Password.Reveal())

	r.ends("10.0.0.2")
	p = r.submit(retry)
	require.Equal(t, []plan.Standing{plan.Done, plan.New, plan.Done}, standings(p))

	// What never failed is a fault if nothing else was named.
	retry.Of = []string{first.Items[2].Invocation.ID}
	_, err = r.Submit(t.Context(), retry)
	require.EqualError(t, err, "10.0.0.3: no RETRY: it is SUCCEEDED; possible only after FAILED, TIMEOUT, CANCELED")
	retry.Of = []string{"none", first.BatchID, "nor-this"}
	_, err = r.Submit(t.Context(), retry)
	require.EqualError(t, err, "none: not found: no batch, invocation or host of this project has this id\nnor-this: not found: no batch, invocation or host of this project has this id")
}

// TestLatestRollback: what is being rolled back already is continued, and what a later task
// has changed is left alone.
func TestLatestRollback(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.submit(install(3))
	r.ends("10.0.0.3")
	later := install(1)
	later.Spec.Version = "3"
	second := r.submit(later)
	r.ends()
	back := plan.Request{Project: project, Task: installer.Rollback, Interactive: true, Of: []string{first.BatchID}}
	p := r.submit(back)
	require.Equal(t, []plan.Standing{plan.Refused, plan.New, plan.Refused}, standings(p))
	require.Contains(t, p.Items[0].Refused.Msg, "a later task changed the host and is not undone: "+second.Items[0].Invocation.ID)
	require.True(t, p.Items[0].Failed)
	require.True(t, p.Items[2].Failed)
	p = r.submit(back)
	require.Equal(t, []plan.Standing{plan.Refused, plan.Open, plan.Refused}, standings(p))
	r.ends()
	p = r.submit(back)
	require.Equal(t, []plan.Standing{plan.Refused, plan.Done, plan.Refused}, standings(p))
	back.Of = []string{first.Items[2].Invocation.ID}
	_, err := r.Submit(t.Context(), back)
	require.ErrorContains(t, err, "no ROLLBACK: it is FAILED; possible only after SUCCEEDED")
}

// TestGivenLoginsGoTheirWay: a login that leads elsewhere than the batch is not used,
// and that is said.
func TestGivenLoginsGoTheirWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.submit(install(1))
	r.ends("10.0.0.1")
	retry := plan.Request{Project: project, Task: installer.Retry, Interactive: true, Of: []string{first.BatchID}, Hosts: hosts(1)}
	retry.Hosts[0].Host.User, retry.Hosts[0].Credentials = "eve", password("of eve")
	p, err := r.Plan(t.Context(), retry)
	require.NoError(t, err)
	require.Equal(t, []string{"hosts.txt:1 leads to eve@10.0.0.1:22, or there in another way, and the batch to root@10.0.0.1:22: it is not used"}, p.Notes)
	require.Equal(t, "of 10.0.0.1", p.Items[0].Credentials.Password.Reveal())

	retry.Hosts[0] = hosts(1)[0] // the file has no login
	retry.Hosts[0].Credentials = installer.Credentials{}
	p, err = r.Plan(t.Context(), retry)
	require.NoError(t, err)
	require.Equal(t, "of 10.0.0.1", p.Items[0].Credentials.Password.Reveal())

	retry.Hosts, retry.ForAll = nil, &installer.HostEntry{Host: installer.Host{Endpoint: installer.Endpoint{User: "root"}}, Credentials: password("flags")}
	p, err = r.Plan(t.Context(), retry)
	require.NoError(t, err)
	require.Empty(t, p.Notes)
	require.Equal(t, "flags", p.Items[0].Credentials.Password.Reveal())
	retry.ForAll.Host.User = "ops"
	p, err = r.Plan(t.Context(), retry)
	require.NoError(t, err)
	require.Len(t, p.Notes, 1)
}

// TestPackages: the newest of the package store that fits, by the edition that each host
// has, or what there is instead.
func TestPackages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := install(2)
	req.Spec.Target = installer.TargetTelescope
	told := func(want string) {
		t.Helper()
		_, err := r.Submit(t.Context(), req)
		require.ErrorContains(t, err, want)
		require.Equal(t, 1, strings.Count(err.Error(), "package-missing"), "once, for all hosts")
	}
	told("package: nothing to install (package-missing): the package store is empty")
	for _, version := range []string{"1.2.3", "1.10.0"} {
		ref, err := r.store.PutBlob(t.Context(), strings.NewReader(version), version+".tar.gz")
		require.NoError(t, err)
		ref.Arch, ref.Version = "amd64", version
		require.NoError(t, r.store.AddPackage(t.Context(), installer.Package{BlobRef: ref, Target: req.Spec.Target, Edition: installer.Basic, Added: time.Now()}))
	}
	req.Spec.Version = "7"
	told("package: package-missing: the package store has no package of version 7; it has 1.10.0 (amd64, basic), 1.2.3 (amd64, basic)")
	req.Spec.Version, req.Spec.VersionType = "", string(installer.Advance)
	told("the package store has no advance package; it has")
	req.Spec.VersionType = ""
	p := r.submit(req)
	require.Equal(t, "1.10.0", p.Items[0].Invocation.Spec.Packages[0].Version)

	req.Spec.CheckOnly = true
	require.Empty(t, r.submit(req).Items[0].Invocation.Spec.Packages, "a look needs none")
}
