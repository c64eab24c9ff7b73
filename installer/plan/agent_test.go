package plan_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/plan"
)

func agentKeys(name string) installer.AgentKeys {
	return installer.AgentKeys{AccessKey: installer.NewSecret("CANARY-ak-" + name), SecretKey: installer.NewSecret("CANARY-sk-" + name)}
}

// TestAgentPrecedence takes away one source after the other: the next one in the table of docs/telescope.md counts then,
// for each field by itself.
func TestAgentPrecedence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := install(1)
	said := func(name string) *installer.AgentConfig {
		return &installer.AgentConfig{Region: name, InstanceID: "set by " + name}
	}
	r.AgentDefaults = func(p string) (*installer.AgentConfig, installer.AgentKeys) {
		return said("daemon"), agentKeys(p)
	}
	req.Spec.Agent, req.AgentKeys = said("command"), agentKeys("command")
	host, creds := &req.Hosts[0].Host, &req.Hosts[0].Credentials
	host.Labels = map[string]string{"agent.region": "label", "agent.project_id": "p-label"}
	host.Agent, creds.Agent = &installer.AgentConfig{Region: "own"}, agentKeys("own")
	imported := req.Hosts[0]
	imported.Host.Agent, imported.Credentials.Agent = &installer.AgentConfig{Region: "imported"}, agentKeys("imported")
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{imported}))

	expect := func(region, instanceID, keys string) {
		t.Helper()
		p, err := r.Plan(t.Context(), req)
		require.NoError(t, err)
		config := p.Items[0].Invocation.Spec.Agent
		require.Equal(t, []string{region, instanceID}, []string{config.Region, config.InstanceID})
		require.Equal(t, agentKeys(keys).SecretKey.Reveal(), p.Items[0].Credentials.Agent.SecretKey.Reveal())
		require.Equal(t, "p-label", config.ProjectID)
	}
	expect("own", "set by command", "own")
	host.Agent, creds.Agent = nil, installer.AgentKeys{}
	expect("imported", "set by command", "imported")
	req.Hosts, req.Known = nil, []string{host.ID}
	expect("imported", "set by command", "imported")
	imported.Host.Agent = nil
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{imported}))
	expect("label", "set by command", "imported")
	require.NoError(t, r.store.RemoveHosts(t.Context(), project, []string{host.ID}))
	delete(imported.Host.Labels, "agent.region")
	imported.Credentials.Agent = installer.AgentKeys{}
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{imported}))
	expect("command", "set by command", "command")
	req.Spec.Agent, req.AgentKeys = nil, installer.AgentKeys{}
	expect("daemon", "set by daemon", project)
}

// TestAgentKeysGoWithEveryLogin: whichever login gets into the host, and by whom it is asked for.
func TestAgentKeysGoWithEveryLogin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.DefaultLogins = map[string]installer.Login{project: {Password: installer.NewSecret("default")}}
	entry := hosts(1)[0]
	login := entry.Credentials
	entry.Credentials = installer.Credentials{Agent: agentKeys("imported")}
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{entry}))
	req := install(1)
	expect := func(password, keys string) {
		t.Helper()
		p, err := r.Plan(t.Context(), req)
		require.NoError(t, err)
		got := p.Items[0].Credentials
		require.Equal(t, password, got.Password.Reveal())
		require.Equal(t, agentKeys(keys).AccessKey.Reveal(), got.Agent.AccessKey.Reveal())
	}
	expect("of 10.0.0.1", "imported")
	req.Hosts[0].Credentials = installer.Credentials{}
	expect("default", "imported")
	entry.Credentials = login
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{entry}))
	req.Hosts[0].Credentials = installer.Credentials{Agent: agentKeys("own")}
	expect("of 10.0.0.1", "own")
}

// TestAgentKeysAgain: a RETRY has those of the task that it repeats, whoever has given another login since;
// a ROLLBACK, a check and a script have none.
func TestAgentKeysAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := install(1)
	req.AgentKeys, req.Spec.Agent = agentKeys("first"), &installer.AgentConfig{Region: "r-1"}
	first := r.submit(req)
	r.ends("10.0.0.1")
	entry := hosts(1)[0]
	entry.Credentials = password("imported since")
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{entry}))
	retry := plan.Request{Project: project, Task: installer.Retry, Interactive: true, Of: []string{first.BatchID}}
	expect := func(password, keys string) {
		t.Helper()
		p, err := r.Plan(t.Context(), retry)
		require.NoError(t, err)
		got := p.Items[0]
		require.Equal(t, password, got.Credentials.Password.Reveal())
		require.Equal(t, agentKeys(keys).SecretKey.Reveal(), got.Credentials.Agent.SecretKey.Reveal())
		require.Equal(t, "r-1", got.Invocation.Spec.Agent.Region)
	}
	expect("imported since", "first")
	retry.Hosts = hosts(1)
	retry.Hosts[0].Credentials = password("typed again")
	expect("typed again", "first")
	retry.Hosts[0].Credentials = installer.Credentials{Agent: agentKeys("new")}
	expect("imported since", "new")

	again := r.submit(retry)
	raw, err := json.Marshal(again)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "CANARY")
	r.ends()
	back := r.submit(plan.Request{Project: project, Task: installer.Rollback, Interactive: true, Of: []string{again.BatchID}})
	require.Zero(t, back.Items[0].Credentials.Agent)
	require.Nil(t, back.Items[0].Invocation.Spec.Agent)
	for _, spec := range []installer.Spec{{CheckOnly: true}, {Script: &installer.BlobRef{}}} {
		req.Spec, req.Spec.Agent, req.Spec.HostKeys = spec, &installer.AgentConfig{Region: "r"}, installer.AcceptNew
		p, err := r.Plan(t.Context(), req)
		require.NoError(t, err)
		require.Zero(t, p.Items[0].Credentials.Agent)
		require.Nil(t, p.Items[0].Invocation.Spec.Agent)
	}
}

// TestConfigurationIsPartOfTheWork: other configuration is another batch; other keys are for the same one.
func TestConfigurationIsPartOfTheWork(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var batches []string
	for i, config := range []*installer.AgentConfig{nil, {Region: "a"}, {Region: "b"}, {Region: "b"}} {
		req := install(1)
		req.Resume, req.Spec.Agent, req.AgentKeys = true, config, agentKeys(fmt.Sprint(i))
		p := r.submit(req)
		if slices.Contains(batches, p.BatchID) {
			require.Equal(t, 3, i)
			require.NotNil(t, p.Resumed)
			page, err := r.store.Invocations(t.Context(), installer.Filter{ProjectID: project, BatchID: p.BatchID})
			require.NoError(t, err)
			creds, err := r.store.Credentials(t.Context(), &page.Invocations[0])
			require.NoError(t, err)
			require.True(t, strings.HasSuffix(creds.Agent.AccessKey.Reveal(), "-3"), "the newest")
		}
		batches = append(batches, p.BatchID)
	}
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(batches))), 3)
}

// TestKeptAgentKeysAreNotSentUnchecked: as kept logins are not.
func TestKeptAgentKeysAreNotSentUnchecked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := install(1)
	req.Spec.HostKeys = installer.Insecure
	defaults := installer.AgentKeys{}
	r.AgentDefaults = func(string) (*installer.AgentConfig, installer.AgentKeys) { return nil, defaults }
	policy := func() installer.HostKeyPolicy {
		p, err := r.Plan(t.Context(), req)
		require.NoError(t, err)
		return p.Items[0].Invocation.Spec.HostKeys
	}
	require.Equal(t, installer.Insecure, policy())
	defaults = agentKeys("daemon")
	require.Equal(t, installer.AcceptNew, policy())
	req.AgentKeys = agentKeys("command")
	require.Equal(t, installer.Insecure, policy())
	entry := hosts(1)[0]
	entry.Credentials.Agent = agentKeys("imported")
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{entry}))
	require.Equal(t, installer.AcceptNew, policy())
}

// TestSharedAgentIDs: to Cloud Eye, agents of one instance id are one host. Both hosts are refused, each names
// the other, wherever the ids come from.
func TestSharedAgentIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req := install(3)
	known := req.Hosts[2]
	known.Where, known.Host.Labels = "", map[string]string{"agent.instance_id": "i-1"}
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{known}))
	req.Hosts, req.Known = req.Hosts[:2], []string{known.Host.ID}
	req.Hosts[0].Host.Agent = &installer.AgentConfig{InstanceID: "i-1"}
	req.Hosts[1].Host.Agent = &installer.AgentConfig{InstanceID: "i-2"}
	const also = "the instance id of its agent is also given to "
	_, err := r.Submit(t.Context(), req)
	require.EqualError(t, err, "hosts.txt:1: "+also+"10.0.0.3\n10.0.0.3: "+also+"hosts.txt:1")
	req.Task, req.Interactive = installer.RemoteInstall, false
	req.Known, req.Hosts[1].Host.Agent = nil, req.Hosts[0].Host.Agent
	p, err := r.Submit(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, []plan.Standing{plan.Refused, plan.Refused}, standings(p))
	require.Equal(t, plan.SharedAgentID, p.Items[1].Refused.Reason)

	req.Spec.Script = &installer.BlobRef{SHA256: "s", Name: "s"} // which gives no agent any id
	require.Equal(t, []plan.Standing{plan.New, plan.New}, standings(r.submit(req)))
}

// TestARetryIsToldOfTheAgent: what a file says with a RETRY counts before what the task had, field by field.
func TestARetryIsToldOfTheAgent(t *testing.T) {
	t.Parallel()
	r, req := newRig(t), install(2)
	for i := range req.Hosts {
		req.Hosts[i].Host.Agent = &installer.AgentConfig{Region: "r", InstanceID: fmt.Sprint("i-", i)}
	}
	done := r.submit(req)
	r.ends("10.0.0.1", "10.0.0.2")
	retry := plan.Request{Project: project, Task: installer.Retry, Interactive: true, Of: []string{done.BatchID}, Hosts: hosts(2)}
	given := &retry.Hosts[0].Host
	given.Agent, given.Labels, given.Name = &installer.AgentConfig{InstanceID: "i-1"}, map[string]string{"agent.project_id": "p"}, "web"
	p, err := r.Plan(t.Context(), retry)
	require.NoError(t, err)
	require.Equal(t, []plan.Standing{plan.Refused, plan.Refused}, standings(p), "the other host has that id")
	given.Agent.InstanceID = "i-7"
	p = r.submit(retry)
	first := p.Items[0].Invocation
	require.Equal(t, &installer.AgentConfig{Region: "r", InstanceID: "i-7", ProjectID: "p"}, first.Spec.Agent)
	require.Equal(t, "web", first.Host.Name)
	require.Equal(t, &installer.AgentConfig{Region: "r", InstanceID: "i-1"}, p.Items[1].Invocation.Spec.Agent)

	require.Empty(t, r.submit(retry).Notes, "it is the same")
	given.Agent = &installer.AgentConfig{InstanceID: "i-8"}
	require.Equal(t, []string{"web (10.0.0.1) is being worked on already: of hosts.txt:1 only the login is used"}, r.submit(retry).Notes)

	given.Agent, retry.Hosts[0].Credentials, given.User = &installer.AgentConfig{InstanceID: "i-9"}, installer.Credentials{}, "ops"
	p = r.submit(retry)
	require.Len(t, p.Notes, 1)
	require.Contains(t, p.Notes[0], "hosts.txt:1 leads to ops@10.0.0.1:22")
}

// TestConfigurationAloneInstallsNothing, and who wants just that is told how.
func TestConfigurationAloneInstallsNothing(t *testing.T) {
	t.Parallel()
	r, req := newRig(t), install(1)
	req.Spec.Target = installer.TargetTelescope
	const instead = "to change only the configuration of agents that are there: tripod configure"
	_, err := r.Submit(t.Context(), req)
	require.ErrorContains(t, err, "nothing to install")
	require.NotContains(t, err.Error(), instead)
	req.Spec.Agent = &installer.AgentConfig{Region: "r"}
	_, err = r.Submit(t.Context(), req)
	require.ErrorContains(t, err, instead)
	req.Spec.Agent, req.Hosts[0].Host.Agent = nil, &installer.AgentConfig{Region: "r"}
	req.Spec.Version = "1"
	_, err = r.Submit(t.Context(), req)
	require.ErrorContains(t, err, instead)
}
