package control_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plan"
	"tripod/installer/sshtest"
)

func TestBatchArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := request(3)
	req.Hosts[1].Credentials.SudoPassword = installer.NewSecret("of sudo")
	req.MaxFailures, req.Resume = plan.FailureLimit{N: 34, Percent: true}, true
	s := r.stored(r.client.Submit(t.Context(), req))
	_, err := r.client.Submit(t.Context(), req)
	require.NoError(t, err, "the same again is no second batch")

	head, err := r.store.Batch(t.Context(), project, s.ID)
	require.NoError(t, err)
	require.Equal(t, 3, head.Total)
	require.Equal(t, 2, head.MaxFailures)
	require.Equal(t, "token tester", head.By)
	for i, e := range req.Hosts {
		inv := s.Invs[i]
		e.Host.DeriveIPs()
		require.Equal(t, e.Host, inv.Host)
		require.Equal(t, req.Spec, inv.Spec)
		creds, err := r.store.Credentials(t.Context(), &inv)
		require.NoError(t, err)
		require.Equal(t, e.Credentials.Password.Reveal(), creds.Password.Reveal())
		require.Equal(t, e.Credentials.SudoPassword.Reveal(), creds.SudoPassword.Reveal())
		require.Equal(t, "the key of the jump host", creds.Via[0].PrivateKey.Reveal())
		got, err := control.GetInvocation.Call(t.Context(), r.client, control.ID{ID: inv.ID})
		require.NoError(t, err)
		require.Equal(t, inv, got, "and is read as it is stored")
	}

	// The same work under another id goes on with it, with the logins of now.
	again := req
	again.BatchID = request(0).BatchID
	again.Hosts = slices.Clone(req.Hosts)
	again.Hosts[0].Credentials.Password = installer.NewSecret("typed anew")
	slices.Reverse(again.Hosts)
	p, err := r.client.Submit(t.Context(), again)
	require.NoError(t, err)
	require.True(t, p.Resumed)
	require.Equal(t, s.ID, p.Batch.ID)
	creds, err := r.store.Credentials(t.Context(), &s.Invs[0])
	require.NoError(t, err)
	require.Equal(t, "typed anew", creds.Password.Reveal())
	again.Spec.Version = "2"
	p, err = r.client.Submit(t.Context(), again)
	require.NoError(t, err)
	require.False(t, p.Resumed)
}

func TestManyHosts(t *testing.T) {
	t.Parallel()
	hosts := 1_100 // more than two pages
	if sshtest.Long() {
		hosts = 10_000
	}
	r := newRig(t)
	p, err := r.client.Submit(t.Context(), request(hosts))
	require.NoError(t, err)
	invs, err := r.client.Invocations(t.Context(), p.Batch.ID, "")
	require.NoError(t, err)
	require.Len(t, invs, hosts)
	asked, err := control.CancelBatch.Call(t.Context(), r.client, control.OfBatch{BatchID: p.Batch.ID})
	require.NoError(t, err)
	require.Len(t, asked, hosts)
	require.Equal(t, invs[0].ID, asked[0], "in the order of the batch")
}

// TestWhatAClientMustNotSend: whatever is sent is checked as if it came from
// anybody; nothing is stored, all faults are told.
func TestWhatAClientMustNotSend(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for want, change := range map[string]func(*plan.Request){
		"batch_id":           func(req *plan.Request) { req.BatchID = "../x" },
		"source":             func(req *plan.Request) { req.Source = "a\x1b[31m" },
		"max_failures":       func(req *plan.Request) { req.MaxFailures.N = -1 },
		"max_failures: must": func(req *plan.Request) { req.MaxFailures = plan.FailureLimit{N: 101, Percent: true} },
		"hosts: must be":     func(req *plan.Request) { req.Hosts = nil },
		"spec.host_keys":     func(req *plan.Request) { req.Spec = installer.Spec{} },
		"spec.target":        func(req *plan.Request) { req.Spec.Target = "a/b" },
		"spec.version":       func(req *plan.Request) { req.Spec.Version = "1;rm" },
		"spec.run_timeout":   func(req *plan.Request) { req.Spec.RunTimeout = 1 << 60 },
		"insecure is weaker": func(req *plan.Request) { req.Spec.HostKeys = installer.Insecure },
		"must be accept-new": func(req *plan.Request) { req.Spec.HostKeys = "none" },
		"spec: the file ": func(req *plan.Request) {
			req.Spec.Script = &installer.BlobRef{SHA256: strings.Repeat("a", 64), Size: 1, Name: "x.sh"}
		},
		"without folders": func(req *plan.Request) {
			req.Spec.Script = &installer.BlobRef{SHA256: strings.Repeat("a", 64), Size: 1, Name: "../x.sh"}
		},
		"spec.sha256": func(req *plan.Request) {
			req.Spec.Packages = []installer.BlobRef{{SHA256: "../../x", Size: 1, Name: "x"}}
		},
		"spec: is not what UNINSTALL does": func(req *plan.Request) {
			req.Task, req.Spec.CheckOnly = installer.Uninstall, true
		},
		"task: must be":            func(req *plan.Request) { req.Task = installer.RemoteInstall },
		"nothing but known":        func(req *plan.Request) { req.Of = []string{"i-1"} },
		"known[0]":                 func(req *plan.Request) { req.Known = []string{"a b"} },
		"of[0]":                    func(req *plan.Request) { req.Task, req.Of = installer.Retry, []string{"a b"} },
		"instance_id: holds a NUL": func(req *plan.Request) { req.Hosts[0].Host.ID = "a\x00b" },
		"hosts[0].address":         func(req *plan.Request) { req.Hosts[0].Host.Address = "a b" },
		"hosts[0].via[0].user":     func(req *plan.Request) { req.Hosts[0].Host.Via[0].User = "-oX" },
		"hosts[0].become":          func(req *plan.Request) { req.Hosts[0].Host.Become = "always" },
		"hosts[0].instance_type":   func(req *plan.Request) { req.Hosts[0].Host.Type = "VM" },
		"hosts[0].intranet_ips":    func(req *plan.Request) { req.Hosts[0].Host.IntranetIPs = []string{"x"} },
		"hosts[0].via: must have one login for each hop": func(req *plan.Request) { req.Hosts[0].Credentials.Via = make([]installer.Login, 2) },
		"for_all.via[0].user": func(req *plan.Request) {
			req.Task, req.Of, req.ForAll = installer.Retry, []string{"i-1"}, &req.Hosts[0]
			req.Hosts[0].Host.Via[0].User = "-oX"
		},
		"known host, and no login: credential-missing": func(req *plan.Request) {
			req.Hosts[0].Credentials, req.Hosts[0].Where = installer.Credentials{}, "known host, and no login"
		},
		"127.0.0.1: policy-denied": func(req *plan.Request) {
			req.Hosts[0].Host.Address, req.Hosts[0].Host.Name = "127.0.0.1", ""
		},
		"policy-denied": func(req *plan.Request) { // the way is dialled first
			req.Hosts[0].Host.Via[0].Address = "127.0.0.9"
		},
	} {
		req := request(1)
		req.Hosts[0].Credentials.Password = installer.NewSecret("canary-password")
		change(&req)
		sendPlan := func(ctx context.Context, req plan.Request) (control.Planned, error) {
			return control.PlanBatch.Call(ctx, r.client, req)
		}
		for i, send := range []func(context.Context, plan.Request) (control.Planned, error){r.client.Submit, sendPlan} {
			if i == 1 && want == "spec: the file " { // it is sent later
				continue
			}
			_, err := send(t.Context(), req)
			var faults installer.Faults
			require.ErrorAs(t, err, &faults, want)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "canary")
		}
	}
	heads, err := r.store.Batches(t.Context(), project, 10)
	require.NoError(t, err)
	require.Empty(t, heads)
}

// TestAPlanIsTheWorkToBe: nothing is stored, and no secret is told.
func TestAPlanIsTheWorkToBe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := request(2)
	req.Hosts[1].Where, req.Hosts[1].Host.User = "hosts.txt:2", "ops"
	p, err := control.PlanBatch.Call(t.Context(), r.client, req)
	require.NoError(t, err)
	require.Nil(t, p.Batch)
	require.Len(t, p.Items, 2)
	require.Equal(t, "hosts.txt:2", p.Items[1].Where)
	require.Equal(t, plan.New, p.Items[1].Standing)
	require.Equal(t, []string{"password", "password+sudo"}, []string{p.Items[0].Login, p.Items[1].Login})
	require.Equal(t, req.Spec, p.Items[0].Invocation.Spec)
	heads, err := r.store.Batches(t.Context(), project, 10)
	require.NoError(t, err)
	require.Empty(t, heads)
}

// TestKeptLoginGoesToThatHostOnly: whoever may submit work could otherwise have a
// kept password sent to a server of his own.
func TestKeptLoginGoesToThatHostOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	known := request(1).Hosts[0]
	known.Host.ID = "i-1"
	require.NoError(t, r.addHosts([]installer.HostEntry{known}))
	ask := func(change func(*installer.Host)) (control.Planned, error) {
		req := request(1)
		req.Hosts[0].Host, req.Hosts[0].Credentials = known.Host, installer.Credentials{}
		req.Hosts[0].Host.Via = slices.Clone(known.Host.Via)
		change(&req.Hosts[0].Host)
		return r.client.Submit(t.Context(), req)
	}
	for name, change := range map[string]func(*installer.Host){
		"address": func(h *installer.Host) { h.Address = "10.0.0.2" },
		"port":    func(h *installer.Host) { h.Port = 2222 },
		"user":    func(h *installer.Host) { h.User = "eve" },
		"pin":     func(h *installer.Host) { h.HostKey = goodPin },
		"no way":  func(h *installer.Host) { h.Via = nil },
		"way":     func(h *installer.Host) { h.Via[0].Address = "10.0.0.8" },
		"id":      func(h *installer.Host) { h.ID = "i-2" },
	} {
		_, err := ask(change)
		var missing *plan.MissingCredentials
		require.ErrorAs(t, err, &missing, name)
	}
	s := r.stored(ask(func(*installer.Host) {}))
	creds, err := r.store.Credentials(t.Context(), &s.Invs[0])
	require.NoError(t, err)
	require.Equal(t, "password 0", creds.Password.Reveal())
	require.Equal(t, "the key of the jump host", creds.Via[0].PrivateKey.Reveal())
}

// TestARetryTakesWhatIsKept, and never sees it.
func TestARetryTakesWhatIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.sent(2)
	r.work(first.ID, 2, func(installer.Event) {})
	s := r.stored(r.client.Submit(t.Context(), retry(first.Invs[0].ID)))
	require.Equal(t, first.Invs[0].ID, s.Invs[0].RunID)
	creds, err := r.store.Credentials(t.Context(), &s.Invs[0])
	require.NoError(t, err)
	require.Equal(t, "password 0", creds.Password.Reveal())

	// Given ones go before, where they are for the host as the batch has it.
	given := retry(first.Invs[1].ID)
	given.ForAll = &installer.HostEntry{Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("given")}}}
	p, err := control.PlanBatch.Call(t.Context(), r.client, given)
	require.NoError(t, err)
	require.Len(t, p.Notes, 1)
	require.Contains(t, p.Notes[0], "is reached as root via jump@192.0.2.1:22 in the batch")
	given.ForAll.Host.Via, given.ForAll.Credentials.Via = first.Invs[1].Host.Via, []installer.Login{{Password: installer.NewSecret("of the way")}}
	s = r.stored(r.client.Submit(t.Context(), given))
	creds, err = r.store.Credentials(t.Context(), &s.Invs[0])
	require.NoError(t, err)
	require.Equal(t, "given", creds.Password.Reveal())
}

func TestProjectsSeeTheirOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sent(1)
	id := s.Invs[0].ID
	other := r.connect(r.addToken("p-two"))
	_, err := control.GetBatch.Call(t.Context(), other, control.ID{ID: s.ID})
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = control.GetInvocation.Call(t.Context(), other, control.ID{ID: id})
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = other.Log(t.Context(), id)
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = control.CancelBatch.Call(t.Context(), other, control.OfBatch{BatchID: s.ID})
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = other.Follow(t.Context(), s.ID, "", func(error) {})
	require.ErrorIs(t, err, installer.ErrNotFound)
	invs, err := other.Invocations(t.Context(), s.ID, "")
	require.NoError(t, err)
	require.Empty(t, invs)
}

func TestFilesAreSentOnceAndGoOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	data := bytes.Repeat([]byte("tripod"), 500_000) // three parts
	sum := sha256.Sum256(data)
	ref := installer.BlobRef{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)), Name: "big.tar.gz"}

	// The connection is lost for good in the middle.
	cut := &cutReader{Reader: bytes.NewReader(data), after: 1<<20 + 10}
	err := r.client.PutBlob(t.Context(), cut, ref)
	require.ErrorIs(t, err, errCut)
	have, complete, err := r.store.BlobSize(t.Context(), project, ref.SHA256)
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, have)
	require.False(t, complete)

	before := r.served.Load()
	err = r.client.PutBlob(t.Context(), bytes.NewReader(data), ref)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.served.Load()-before, "a look, and the two parts that were missing")
	before = r.served.Load()
	err = r.client.PutBlob(t.Context(), bytes.NewReader(data), ref)
	require.NoError(t, err)
	require.EqualValues(t, 1, r.served.Load()-before, "nothing is sent twice")

	wrong := ref
	wrong.SHA256 = strings.Repeat("b", 64)
	err = r.client.PutBlob(t.Context(), bytes.NewReader(data), wrong)
	require.ErrorContains(t, err, "not those of this hash")
}

var errCut = errors.New("cut")

type cutReader struct {
	*bytes.Reader
	after int
}

func (c *cutReader) Read(p []byte) (int, error) {
	if c.after <= 0 {
		return 0, errCut
	}
	n, err := c.Reader.Read(p[:min(len(p), c.after)])
	c.after -= n
	return n, err
}
