package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
)

// ask sends a task about instances or invocations.
func (r *rig) ask(kind string, more map[string]any, ids ...string) []api.Result {
	r.t.Helper()
	field := "instance_ids"
	if kind == "RETRY" || kind == "ROLLBACK" {
		field = "invocation_ids"
	}
	body := map[string]any{"invocation_type": kind, field: ids}
	for k, v := range more {
		body[k] = v
	}
	results := r.send(http.MethodPost, create, asJSON(body)).created(r.t).Invocations
	require.Len(r.t, results, len(ids))
	return results
}

func (r *rig) stored(res api.Result) (installer.Invocation, installer.Credentials) {
	r.t.Helper()
	require.Equal(r.t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
	require.Empty(r.t, res.ErrorCode)
	inv, err := r.store.Invocation(r.t.Context(), project, res.InvocationID)
	require.NoError(r.t, err)
	creds, err := r.store.Credentials(r.t.Context(), &inv)
	require.NoError(r.t, err)
	return inv, creds
}

func itemRefused(t *testing.T, res api.Result, code api.Code, contains string) {
	t.Helper()
	require.Equal(t, api.RetError, res.RetStatus)
	require.Equal(t, code, res.ErrorCode, res.ErrorMsg)
	require.Contains(t, res.ErrorMsg, contains)
	require.LessOrEqual(t, len([]rune(res.ErrorMsg)), 128)
}

// TestKnownHosts: INSTALL and UPDATE by instance_ids.
func TestKnownHosts(t *testing.T) {
	t.Parallel()
	r := newRig(t, denyLoopback)
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{
		{Host: installer.Host{
			ID: "web-0001", Name: "web", Type: installer.BMS, IntranetIPs: []string{"10.0.0.1"}, ElasticIPs: []string{"203.0.113.1"},
			Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 22, User: "root"},
		}, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("imported")}, SudoPassword: installer.NewSecret("sudo")}},
		{Host: installer.Host{ID: "bare", Endpoint: installer.Endpoint{Address: "10.0.0.2", Port: 22, User: "root"}}},
		{Host: installer.Host{ID: "here", Endpoint: installer.Endpoint{Address: "127.0.0.1", Port: 22, User: "root"}},
			Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("x")}}},
	}))
	for _, kind := range []installer.Type{installer.Install, installer.Update} {
		results := r.ask(string(kind), map[string]any{"origin": "CES"}, "web-0001", "never-was", "bare", "here")
		inv, creds := r.stored(results[0])
		require.Equal(t, kind, inv.Type)
		require.Equal(t, kind, inv.Task())
		require.Equal(t, "web-0001", inv.Host.ID)
		require.Equal(t, "CES", inv.Spec.Origin)
		require.Equal(t, inv.ID, inv.RunID)
		require.Equal(t, "imported", creds.Password.Reveal())
		require.Equal(t, "sudo", creds.SudoPassword.Reveal())
		itemRefused(t, results[1], api.ItemUnknownInstance, "no such instance")
		require.Equal(t, "never-was", results[1].InstanceID)
		itemRefused(t, results[2], api.ItemCredentialMissing, "credential-missing: ")
		itemRefused(t, results[3], api.ItemPolicyDenied, "policy-denied: ")
		head, err := r.store.Batch(t.Context(), project, inv.BatchID)
		require.NoError(t, err)
		require.Equal(t, "token tester", head.By)
	}
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{{
		Host:        installer.Host{ID: "bare", Endpoint: installer.Endpoint{Address: "10.0.0.2", Port: 22, User: "root"}},
		Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("x")}},
	}}))
	r.stored(r.ask("INSTALL", nil, "bare")[0])
	require.EqualValues(t, 1, r.list("?instance_type=ECS&instance_id=bare").Count, "what is shown as ECS is found as ECS")
	item := r.list("?instance_type=BMS&invocation_type=UPDATE").Invocations[0]
	require.Equal(t, []string{"10.0.0.1"}, item.IntranetIPs)
	require.Equal(t, []string{"203.0.113.1"}, item.ElasticIPs)
	require.Equal(t, installer.BMS, item.InstanceType)
	require.Equal(t, "web", item.InstanceName)

	// Another project's hosts are as unknown as any.
	other := r.clientFor("p-two", r.addToken("p-two", "other"))
	made, err := other.Create(t.Context(), apitest.CreateRequest{InvocationType: "INSTALL", InstanceIDs: []string{"web-0001"}})
	require.NoError(t, err)
	itemRefused(t, made.Invocations[0], api.ItemUnknownInstance, "")
}

// TestKnownHostsByTheDefaultKey: also through a jump host, whose own login it
// is that is used there.
func TestKnownHostsByTheDefaultKey(t *testing.T) {
	t.Parallel()
	key := installer.Login{PrivateKey: installer.NewSecret("the project's key")}
	offered := map[string]installer.Login{project: key}
	r := newRig(t, func(c *api.Config) { c.DefaultLogins = offered })
	r.setJumpHost("jump-1", "10.1.0.1", "of jump 1")
	hop := func(ip string) installer.Endpoint { return installer.Endpoint{Address: ip, Port: 22, User: "root"} }
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{
		{Host: installer.Host{ID: "direct", Endpoint: hop("10.0.0.2")}},
		{Host: installer.Host{ID: "behind", Endpoint: hop("10.0.0.3"), Via: []installer.Endpoint{hop("10.1.0.1"), hop("10.1.0.9")}}},
	}))
	results := r.ask("UPDATE", nil, "direct", "behind")
	_, creds := r.stored(results[0])
	require.Equal(t, installer.Credentials{Login: key}, creds)
	inv, creds := r.stored(results[1])
	require.Len(t, inv.Host.Via, 2)
	require.Equal(t, key, creds.Login)
	require.True(t, creds.Via[0].IsZero(), "the jump host's own is looked up when it is needed")
	require.Equal(t, key, creds.Via[1], "a hop that nothing is known of")
	delete(offered, project)
	for _, res := range r.ask("UPDATE", nil, "behind") {
		require.Equal(t, api.RetSuccessful, res.RetStatus, "kept from the task before")
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.send(http.MethodPost, create, asJSON(map[string]any{
		"invocation_type": "REMOTE_INSTALL", "origin": "APICOM_BMS", "remote_install_meta": []any{host(nil), host(map[string]any{"remote_ip": "10.0.0.2"})},
	})).created(t).Invocations
	itemRefused(t, r.ask("RETRY", nil, first[0].InvocationID)[0], api.ItemNotAllowed, "PENDING")
	r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindAuthRejected, Outcome: installer.Outcome{CurrentVersion: "1.0"}})

	// Another project's invocation is as unknown as one that never was.
	other := r.clientFor("p-two", r.addToken("p-two", "other"))
	made, err := other.Create(t.Context(), apitest.CreateRequest{InvocationType: "RETRY", InvocationIDs: []string{first[0].InvocationID, "never-was"}})
	require.NoError(t, err)
	for i, id := range []string{first[0].InvocationID, "never-was"} {
		itemRefused(t, made.Invocations[i], api.ItemUnknownInvocation, "no such invocation")
		require.Equal(t, id, made.Invocations[i].InvocationID, "which one it was")
		require.Empty(t, made.Invocations[i].InstanceID)
	}

	// The password was wrong: the right one has come meanwhile.
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{{
		Host:        installer.Host{ID: first[0].InstanceID, Name: "web-1", Type: installer.ECS, Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 22, User: "admin"}},
		Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("the right one")}},
	}}))
	results := r.ask("RETRY", nil, first[0].InvocationID, first[1].InvocationID)
	inv, creds := r.stored(results[0])
	require.Equal(t, installer.Retry, inv.Type)
	require.Equal(t, installer.RemoteInstall, inv.Task())
	require.Equal(t, first[0].InvocationID, inv.Of)
	require.Equal(t, first[0].InvocationID, inv.RunID, "the run folder of the first")
	require.NotEqual(t, first[0].InvocationID, inv.ID)
	require.Equal(t, "APICOM_BMS", inv.Spec.Origin)
	require.Equal(t, "admin", inv.Host.User)
	require.Equal(t, "the right one", creds.Password.Reveal())
	_, creds = r.stored(results[1])
	require.Equal(t, "correct horse", creds.Password.Reveal(), "kept")

	twice := r.ask("RETRY", nil, first[0].InvocationID)[0]
	itemRefused(t, twice, api.ItemUnderWay, results[0].InvocationID)
	require.Equal(t, first[0].InvocationID, twice.InvocationID)
	require.Equal(t, first[0].InstanceID, twice.InstanceID)

	// A RETRY that failed can be retried, and keeps the chain's run folder.
	r.finishWith(installer.Transition{State: installer.Timeout, Kind: installer.KindLostContact})
	inv, _ = r.stored(r.ask("RETRY", nil, results[0].InvocationID)[0])
	require.Equal(t, first[0].InvocationID, inv.RunID)
	require.Equal(t, results[0].InvocationID, inv.Of)
	require.Equal(t, installer.RemoteInstall, inv.Task())
	r.finishAll(installer.Succeeded)
	itemRefused(t, r.ask("RETRY", nil, inv.ID)[0], api.ItemNotAllowed, "SUCCEEDED")
}

// TestOneRetryManyAtOnce: of many that come at the same time, one is stored and
// the others are told its id.
func TestOneRetryManyAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.send(http.MethodPost, create, remoteInstall(entries(3)...)).created(t).Invocations
	r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindRefused})
	ids := []string{res[0].InvocationID, res[1].InvocationID, res[2].InvocationID}
	answers := make([][]api.Result, 8)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = r.ask("RETRY", nil, ids...) })
	}
	wg.Wait()
	var stored []string
	for _, results := range answers {
		for _, res := range results {
			if res.RetStatus == api.RetSuccessful {
				stored = append(stored, res.InvocationID)
			}
		}
	}
	require.Len(t, stored, 3)
	for _, results := range answers {
		for _, res := range results {
			if res.RetStatus == api.RetError {
				itemRefused(t, res, api.ItemUnderWay, "")
				require.Contains(t, stored, res.ErrorMsg[strings.LastIndex(res.ErrorMsg, " ")+1:])
			}
		}
	}
	require.EqualValues(t, 6, r.count())
}

// TestRetryWithinTheKeepTime, and not after it.
func TestRetryWithinTheKeepTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0]
	r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindRefused})
	require.NoError(t, r.store.Purge(t.Context(), time.Now().Add(59*time.Minute)))
	again := r.ask("RETRY", nil, res.InvocationID)[0]
	r.stored(again)
	r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindRefused})
	require.NoError(t, r.store.Purge(t.Context(), time.Now().Add(61*time.Minute)))
	itemRefused(t, r.ask("RETRY", nil, again.InvocationID)[0], api.ItemCredentialMissing, "credential-missing: ")

	// The project's default key goes before giving up.
	key := installer.Login{PrivateKey: installer.NewSecret("the project's key")}
	r.restart(func(c *api.Config) { c.DefaultLogins = map[string]installer.Login{project: key} })
	_, creds := r.stored(r.ask("RETRY", nil, again.InvocationID)[0])
	require.Equal(t, key, creds.Login)
}

func TestRollback(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0]
	r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentRunning, TargetVersion: "2.0"}})
	update := r.ask("UPDATE", nil, res.InstanceID)[0]
	r.finishWith(installer.Transition{State: installer.Succeeded, Message: "3.0 is there", Outcome: installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "2.0", TargetVersion: "3.0"}})

	back := r.ask("ROLLBACK", nil, update.InvocationID)[0]
	inv, creds := r.stored(back)
	require.Equal(t, installer.Rollback, inv.Task())
	require.Equal(t, update.InvocationID, inv.Of)
	require.Equal(t, inv.ID, inv.RunID)
	require.Equal(t, "2.0", inv.Spec.Restore)
	require.Equal(t, "correct horse", creds.Password.Reveal())
	itemRefused(t, r.ask("ROLLBACK", nil, update.InvocationID)[0], api.ItemUnderWay, back.InvocationID)
	require.Equal(t, "2.0", r.list("?invocation_id=" + back.InvocationID).Invocations[0].TargetVersion)
	r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "3.0", TargetVersion: "2.0"}})
	undone := r.list("?invocation_id=" + update.InvocationID).Invocations[0]
	require.Equal(t, installer.Rollbacked, undone.InvocationStatus)
	require.Equal(t, "undone by "+back.InvocationID+"; before: 3.0 is there", undone.ResultMsg)
	require.Equal(t, "3.0", undone.TargetVersion, "what it brought then")
	itemRefused(t, r.ask("ROLLBACK", nil, update.InvocationID)[0], api.ItemNotAllowed, "")
	itemRefused(t, r.ask("ROLLBACK", nil, back.InvocationID)[0], api.ItemNotAllowed, "")

	// An installation is undone by uninstalling.
	uninstall := r.ask("ROLLBACK", nil, res.InvocationID)[0]
	inv, _ = r.stored(uninstall)
	require.Empty(t, inv.Spec.Restore)
	require.Equal(t, "none", r.list("?invocation_id=" + uninstall.InvocationID).Invocations[0].TargetVersion)
	r.finishAll(installer.Failed)
	inv, _ = r.stored(r.ask("RETRY", nil, uninstall.InvocationID)[0])
	require.Equal(t, installer.Rollback, inv.Task())
	r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentNone}})
	undone = r.list("?invocation_id=" + res.InvocationID).Invocations[0]
	require.Equal(t, installer.Rollbacked, undone.InvocationStatus, "by the retried one")
	require.Equal(t, "undone by "+inv.ID, undone.ResultMsg)
	rows, _ := r.statusOf(apitest.StatusQuery{InstanceIDs: []string{res.InstanceID}})
	require.Equal(t, "none/none/", rows[res.InstanceID])
}

// TestAnotherMachineByTheSameID: what is undone or done once more is so on the
// machine where it was done, or not at all.
func TestAnotherMachineByTheSameID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	imported := func(address string, port uint16, user string, via ...installer.Endpoint) {
		t.Helper()
		e := installer.HostEntry{Host: installer.Host{ID: "i-1", Via: via, Endpoint: installer.Endpoint{Address: address, Port: port, User: user}}}
		e.Credentials.Password = installer.NewSecret("of " + user)
		for range via {
			e.Credentials.Via = append(e.Credentials.Via, e.Credentials.Login)
		}
		require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{e}))
	}
	hop := installer.Endpoint{Address: "10.1.0.1", Port: 22, User: "ops"}
	imported("10.0.0.1", 22, "root", hop)
	done := r.ask("INSTALL", nil, "i-1")[0]
	r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentRunning, TargetVersion: "2.0"}})
	failed := r.ask("UPDATE", nil, "i-1")[0]
	r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindRefused})

	both := func(check func(api.Result)) {
		check(r.ask("ROLLBACK", nil, done.InvocationID)[0])
		check(r.ask("RETRY", nil, failed.InvocationID)[0])
	}
	otherHop := hop
	otherHop.Port = 2222
	for now, move := range map[string]func(){
		"10.0.0.2:22":                   func() { imported("10.0.0.2", 22, "root", hop) },
		"10.0.0.1:23":                   func() { imported("10.0.0.1", 23, "root", hop) },
		"10.0.0.1:22 via 10.1.0.1:2222": func() { imported("10.0.0.1", 22, "root", otherHop) },
	} {
		move()
		both(func(res api.Result) {
			itemRefused(t, res, api.ItemNotAllowed, "the instance is another machine now: "+now)
			require.Contains(t, res.ErrorMsg, "was 10.0.0.1:22 via 10.1.0.1:22")
			require.Equal(t, "i-1", res.InstanceID)
		})
	}
	require.EqualValues(t, 2, r.count(), "nothing was stored")

	hop.User = "another"
	imported("10.0.0.1", 22, "admin", hop)
	both(func(res api.Result) {
		inv, creds := r.stored(res)
		require.Equal(t, "admin", inv.Host.User, "another login is no other machine")
		require.Equal(t, "of admin", creds.Password.Reveal())
	})
}

// TestPackagesAreChosen when the task is created: what is missing is told then.
func TestPackagesAreChosen(t *testing.T) {
	t.Parallel()
	own := []installer.BlobRef{{SHA256: "own", Name: "own.tar.gz", Arch: "amd64", Version: "1.0"}}
	config := func(c *api.Config) { c.Fallback.Packages = own }
	r := newRig(t, config)
	id := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0].InstanceID
	chosen := func(more map[string]any) []string {
		t.Helper()
		var all []string
		for _, res := range []api.Result{
			r.ask("INSTALL", more, id)[0],
			r.ask("UPDATE", more, id)[0],
		} {
			inv, _ := r.stored(res)
			got := []string{}
			for _, p := range inv.Spec.Packages {
				got = append(got, p.Arch+" "+p.Version)
			}
			if all != nil {
				require.Equal(t, all, got)
			}
			all = got
			if v, ok := more["version"]; ok {
				require.Equal(t, v, inv.Spec.Version)
			}
			if v, ok := more["version_type"]; ok {
				require.Equal(t, v, inv.Spec.VersionType)
			}
		}
		return all
	}
	missing := func(more map[string]any) {
		t.Helper()
		for _, kind := range []string{"INSTALL", "UPDATE"} {
			itemRefused(t, r.ask(kind, more, id)[0], api.ItemPackageMissing, "package-missing: ")
		}
		body := map[string]any{"invocation_type": "REMOTE_INSTALL", "remote_install_meta": []any{host(nil)}}
		for k, v := range more {
			body[k] = v
		}
		itemRefused(t, r.send(http.MethodPost, create, asJSON(body)).created(t).Invocations[0], api.ItemPackageMissing, "package-missing: ")
	}
	require.Equal(t, []string{"amd64 1.0"}, chosen(nil), "the daemon's own, where the package store is empty")
	require.Equal(t, []string{"amd64 1.0"}, chosen(map[string]any{"version": "1.0"}))
	missing(map[string]any{"version": "2.0"})

	for _, p := range []struct {
		arch, version string
		edition       installer.Edition
	}{
		{"amd64", "2.0", installer.Basic}, {"arm64", "2.0", installer.Basic}, {"amd64", "2.10", installer.Basic}, {"amd64", "2.9", installer.Advance},
	} {
		r.addPackage(p.arch, p.version, p.edition)
	}
	require.Equal(t, []string{"amd64 2.10", "arm64 2.0"}, chosen(nil), "the newest for each architecture")
	require.Equal(t, []string{"amd64 2.0", "arm64 2.0"}, chosen(map[string]any{"version": "2.0"}))
	require.Equal(t, []string{"amd64 2.9"}, chosen(map[string]any{"version_type": "ADVANCE_VERSION"}), "the newest of the edition")
	require.Equal(t, []string{"amd64 2.10", "arm64 2.0"}, chosen(map[string]any{"version_type": "BASIC_VERSION"}))
	require.Equal(t, []string{"amd64 1.0"}, chosen(map[string]any{"version": "1.0"}), "the daemon's own has it")
	missing(map[string]any{"version": "9.9"})

	// A RETRY of what failed for want of a package finds the one that came.
	res := r.ask("UPDATE", map[string]any{"version": "1.0"}, id)[0]
	r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindPackageMissing})
	r.addPackage("arm64", "1.0", installer.Basic)
	inv, _ := r.stored(r.ask("RETRY", nil, res.InvocationID)[0])
	require.Equal(t, "arm64", inv.Spec.Packages[0].Arch)

	// With none at all: an edition that nobody can bring is told; where hosts get
	// the agent from the network, nothing is missing.
	r = newRig(t)
	id = r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0].InstanceID
	missing(map[string]any{"version_type": "ADVANCE_VERSION"})
	missing(map[string]any{"version": "1.0"})
	require.Empty(t, chosen(nil), "a host that has the agent needs none: only probe knows")
	r = newRig(t, func(c *api.Config) { c.Fallback.Online = &installer.Online{URL: "https://example.com", Region: "r"} })
	id = r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0].InstanceID
	require.Empty(t, chosen(map[string]any{"version": "1.0"}))
}

// addPackage puts a package into the package store.
func (r *rig) addPackage(arch, version string, edition installer.Edition) {
	r.t.Helper()
	ref, err := r.store.PutBlob(r.t.Context(), strings.NewReader(arch+version), "telescope.tar.gz")
	require.NoError(r.t, err)
	ref.Arch, ref.Version = arch, version
	require.NoError(r.t, r.store.AddPackage(r.t.Context(), installer.Package{
		BlobRef: ref, Target: installer.TargetTelescope, Edition: edition, Added: time.Now(),
	}))
}
