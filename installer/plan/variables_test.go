package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/plan"
)

func secretVars(pairs ...string) installer.Vars {
	vars := installer.Vars{}
	for i := 0; i < len(pairs); i += 2 {
		vars[pairs[i]] = installer.NewSecret(pairs[i+1])
	}
	return vars
}

// runs is a request to run a script on one host.
func runs() plan.Request {
	req := install(1)
	req.Spec.Script = &installer.BlobRef{SHA256: "s", Name: "s"}
	return req
}

func only(t *testing.T, r *rig, req plan.Request) plan.Item {
	t.Helper()
	p, err := r.Plan(t.Context(), req)
	require.NoError(t, err)
	require.Len(t, p.Items, 1)
	return p.Items[0]
}

// TestSecretVarsOfATask: a host's own count before those of all hosts, given ones before imported ones. Who runs no
// script gets none, and imported ones are sent to no host of which the key is not checked.
func TestSecretVarsOfATask(t *testing.T) {
	t.Parallel()
	r, req := newRig(t), runs()
	req.Vars = secretVars("A", "all", "B", "all")
	entry := req.Hosts[0]
	entry.Host.Vars, entry.Credentials.Vars = map[string]string{"P": "imported"}, secretVars("B", "imported", "C", "imported")
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{entry}))
	expect := func(want installer.Vars, plain string) {
		t.Helper()
		item := only(t, r, req)
		require.Equal(t, want, item.Credentials.Vars)
		require.Equal(t, plain, item.Invocation.Host.Vars["P"])
	}
	expect(secretVars("A", "all", "B", "imported", "C", "imported"), "imported")
	req.Spec.HostKeys = installer.Insecure
	require.Equal(t, installer.AcceptNew, only(t, r, req).Invocation.Spec.HostKeys)
	req.Hosts[0].Host.Vars, req.Hosts[0].Credentials.Vars = map[string]string{"P": "given"}, secretVars("A", "given")
	require.Equal(t, installer.Insecure, only(t, r, req).Invocation.Spec.HostKeys)
	expect(secretVars("A", "given", "B", "all"), "given")
	req.Hosts, req.Known = nil, []string{entry.Host.ID}
	expect(secretVars("A", "all", "B", "imported", "C", "imported"), "imported")
	req.Spec.Script = nil
	expect(nil, "imported")
}

// TestARetryHasTheVariablesOfItsTask, also where the host is known with others, and is given new logins.
func TestARetryHasTheVariablesOfItsTask(t *testing.T) {
	t.Parallel()
	r, req := newRig(t), runs()
	entry := req.Hosts[0]
	entry.Host.Vars, entry.Credentials.Vars = map[string]string{"P": "imported"}, secretVars("C", "imported")
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{entry}))
	req.Hosts[0].Host.Vars, req.Hosts[0].Credentials.Vars = map[string]string{"P": "given"}, secretVars("A", "given", "B", "given")
	done, err := r.Submit(t.Context(), req)
	require.NoError(t, err)
	r.ends("10.0.0.1")
	retry := plan.Request{Project: project, Task: installer.Retry, Interactive: true, Of: []string{done.BatchID}}
	item := only(t, r, retry)
	require.Equal(t, secretVars("A", "given", "B", "given"), item.Credentials.Vars)
	require.Equal(t, map[string]string{"P": "given"}, item.Invocation.Host.Vars)
	entry.Credentials = password("new")
	entry.Credentials.Vars = secretVars("B", "new")
	entry.Host.Vars = map[string]string{"Q": "new"}
	retry.Hosts = []installer.HostEntry{entry}
	item = only(t, r, retry)
	require.Equal(t, "new", item.Credentials.Password.Reveal())
	require.Equal(t, secretVars("A", "given", "B", "new"), item.Credentials.Vars)
	require.Equal(t, map[string]string{"P": "given", "Q": "new"}, item.Invocation.Host.Vars)
}

// TestWhatAScriptIsGivenIsPartOfTheWork: another argument, variable or file is other work; another secret is not.
func TestWhatAScriptIsGivenIsPartOfTheWork(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	batches := map[string]bool{}
	for n, change := range []func(*plan.Request){
		func(*plan.Request) {},
		func(req *plan.Request) { req.Spec.ScriptArgs = []string{"x"} },
		func(req *plan.Request) { req.Spec.Env = map[string]string{"A": "x"} },
		func(req *plan.Request) { req.Spec.Send = []installer.BlobRef{{SHA256: "x", Name: "x"}} },
		func(req *plan.Request) { req.Hosts[0].Host.Vars = map[string]string{"A": "x"} },
		func(req *plan.Request) { req.Vars = secretVars("A", "x") },
		func(req *plan.Request) { req.Hosts[0].Credentials.Vars = secretVars("A", "x") },
	} {
		req := runs()
		req.Resume = true
		change(&req)
		p, err := r.Submit(t.Context(), req)
		require.NoError(t, err)
		require.Equal(t, n >= 5, p.Resumed != nil, n)
		batches[p.BatchID] = true
	}
	require.Len(t, batches, 5)
}

// TestARetrySendsNothingToAnotherHostKey: neither secret variables nor keys of an agent go where the user
// has pinned another host key since they were given. They are asked for again.
func TestARetrySendsNothingToAnotherHostKey(t *testing.T) {
	t.Parallel()
	for name, req := range map[string]plan.Request{"variables": runs(), "keys": install(1)} {
		r := newRig(t)
		entry := req.Hosts[0]
		req.Hosts[0].Credentials.Vars = secretVars("A", "given")
		req.Hosts[0].Credentials.Agent = installer.AgentKeys{AccessKey: installer.NewSecret("a"), SecretKey: installer.NewSecret("s")}
		req.Hosts[0].Host.HostKey = "ssh-ed25519 before"
		done, err := r.Submit(t.Context(), req)
		require.NoError(t, err)
		r.ends("10.0.0.1")
		retry := plan.Request{Project: project, Task: installer.Retry, Interactive: true, Of: []string{done.BatchID}}
		require.Nil(t, only(t, r, retry).Refused, name)

		entry.Host.HostKey, entry.Credentials = "ssh-ed25519 after", password("after")
		require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{entry}))
		item := only(t, r, retry)
		require.NotNil(t, item.Refused, name)
		require.Equal(t, plan.CredentialMissing, item.Refused.Reason, name)
		require.Contains(t, item.Refused.Msg, "another host key", name)
	}
}
