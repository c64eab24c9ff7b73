package api_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/engine"
	"tripod/installer/sshdial"
	"tripod/installer/sshtest"
)

// work dials what is open as an engine would, and does nothing else there.
func (r *rig) work() {
	r.t.Helper()
	dialer := sshdial.New(sshdial.Config{HostKeys: r.store, Routes: r.store})
	d := engine.New(engine.Config{Queue: r.store, StopWhenIdle: true, Parallel: 2, Worker: dials{dialer}})
	require.NoError(r.t, d.Run(r.t.Context()))
	require.NoError(r.t, dialer.Close())
}

type dials struct{ *sshdial.Dialer }

func (d dials) Work(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
	inv := job.Invocation
	conn, err := d.Dial(ctx, inv.ProjectID, inv.Host, job.Credentials, inv.Spec.HostKeys, nil)
	if err != nil {
		return installer.Outcome{}, err
	}
	job.Note(installer.StepRecord{Step: installer.StepConnect})
	return installer.Outcome{}, conn.Close()
}

// TestKeptLoginTakesNoOtherRoute: whatever is done to the host that a login is kept
// for, no other server receives it. The servers write down all that they are sent.
func TestKeptLoginTakesNoOtherRoute(t *testing.T) {
	t.Parallel()
	const kept = "kept for A alone"
	user := func(password string) []sshtest.User {
		return []sshtest.User{{Name: "root", Password: password}, {Name: "ops", Password: password}}
	}
	type servers struct{ a, b, jump *sshtest.Server }
	imported := func(to installer.Endpoint, via ...installer.Endpoint) installer.HostEntry {
		return installer.HostEntry{Host: installer.Host{ID: "i-1", Type: installer.ECS, Endpoint: to, Via: via}}
	}
	again := func(e func(servers) installer.HostEntry) func(*rig, servers) {
		return func(r *rig, s servers) {
			require.NoError(r.t, r.store.RegisterHosts(r.t.Context(), project, []installer.HostEntry{e(s)}))
		}
	}
	for name, change := range map[string]func(*rig, servers){
		"to another port":  again(func(s servers) installer.HostEntry { return imported(s.b.Endpoint("root")) }),
		"to another user":  again(func(s servers) installer.HostEntry { return imported(s.a.Endpoint("ops")) }),
		"behind a machine": again(func(s servers) installer.HostEntry { return imported(s.a.Endpoint("root"), s.jump.Endpoint("root")) }),
		"with another pin": again(func(s servers) installer.HostEntry {
			at := s.a.Endpoint("root")
			at.HostKey = s.b.HostKey()
			return imported(at)
		}),
		"by a task with a login of its own": func(r *rig, s servers) {
			h := imported(s.b.Endpoint("root")).Host
			require.NoError(r.t, r.store.RemoveHosts(r.t.Context(), project, []string{"i-1"}))
			for _, own := range []struct {
				to       installer.Endpoint
				password string
			}{{s.a.Endpoint("root"), kept}, {s.b.Endpoint("root"), "of B"}} {
				h.Endpoint = own.to
				id := "own" + strconv.Itoa(int(own.to.Port))
				require.NoError(r.t, r.store.Submit(r.t.Context(), installer.Batch{
					BatchHead: installer.BatchHead{ID: id, ProjectID: project},
					Items: []installer.Item{{
						Invocation:  installer.Invocation{ID: id + "-1", Type: installer.Install, Host: h, Spec: installer.Spec{Target: "telescope", HostKeys: installer.AcceptNew}},
						Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret(own.password)}},
					}},
				}))
				r.work()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			s := servers{sshtest.Start(t, sshtest.Config{Users: user(kept)}), sshtest.Start(t, sshtest.Config{Users: user("of B")}), sshtest.Start(t, sshtest.Config{Users: user("of jump")})}
			first := imported(s.a.Endpoint("root"))
			first.Credentials.Password = installer.NewSecret(kept)
			require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{first}))
			old := r.ask("INSTALL", nil, "i-1")[0]
			r.work()
			require.Equal(t, installer.Succeeded, r.list("?invocation_id=" + old.InvocationID).Invocations[0].InvocationStatus)
			require.Contains(t, s.a.Counts().Passwords, kept)
			failed := r.ask("INSTALL", nil, "i-1")[0]
			r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindScriptFailed})
			before := len(s.a.Counts().Passwords)

			change(r, s)
			for _, port := range []uint16{s.a.Endpoint("").Port, s.b.Endpoint("").Port} {
				r.send(http.MethodPost, create, remoteInstall(host(map[string]any{
					"remote_ip": "127.0.0.1", "port": strconv.Itoa(int(port)), "user_name": "ops", "password": nil,
				})))
			}
			for _, results := range [][]api.Result{
				r.ask("INSTALL", nil, "i-1"), r.ask("SET_REMOTE_INSTALLER", nil, "i-1"), r.ask("RETRY", nil, failed.InvocationID),
			} {
				require.Len(t, results, 1)
			}
			r.work()
			assert.NotContains(t, s.b.Counts().Passwords, kept)
			assert.NotContains(t, s.jump.Counts().Passwords, kept)
			if after := s.a.Counts().Passwords; name != "by a task with a login of its own" {
				assert.Len(t, after, before, "neither A, as another user or as one with another key")
			}
		})
	}
}

// TestAMistypedPasswordCostsItsTaskAlone: a host is worked on with the login that it
// has accepted, whatever was tried since.
func TestAMistypedPasswordCostsItsTaskAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := sshtest.Start(t, sshtest.Config{})
	to := s.Endpoint("root")
	try := func(password string) api.Result {
		res := r.send(http.MethodPost, create, remoteInstall(host(map[string]any{
			"remote_ip": to.Address, "port": strconv.Itoa(int(to.Port)), "password": password,
		}))).created(t).Invocations[0]
		r.work()
		return res
	}
	ends := func(res api.Result, state installer.State) {
		t.Helper()
		require.Equal(t, state, r.list("?invocation_id=" + res.InvocationID).Invocations[0].InvocationStatus)
	}
	first := try("mistyped at first")
	ends(first, installer.Failed)

	ends(try(sshtest.DefaultPassword), installer.Succeeded)
	mistyped := try("mistyped")
	ends(mistyped, installer.Failed)
	install := r.ask("INSTALL", nil, first.InstanceID)[0]
	r.work()
	ends(install, installer.Succeeded)
	assert.Equal(t, []string{"mistyped at first", sshtest.DefaultPassword, "mistyped", sshtest.DefaultPassword}, s.Counts().Passwords)

	// What failed with the mistyped one is done again with the accepted one.
	again := r.ask("RETRY", nil, mistyped.InvocationID)[0]
	r.work()
	ends(again, installer.Succeeded)
}

// TestHopLoginIsForTheJumpHostsHostKey: a host that is imported behind a jump host
// with another host key does not lead the jump host's login there.
func TestHopLoginIsForTheJumpHostsHostKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	pin := "SHA256:uNiVztksCsDhcc0u9e8BrrMyZGqF7AfgQTT7wQHLFNI"
	jump := installer.Endpoint{Address: "10.9.0.1", Port: 22, User: "ops", HostKey: pin}
	entry := func(id string, to installer.Endpoint, via ...installer.Endpoint) installer.HostEntry {
		return installer.HostEntry{
			Host:        installer.Host{ID: id, Type: installer.ECS, Endpoint: to, Via: via},
			Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("of " + id)}},
		}
	}
	behind := func(id, address string, change func(*installer.Endpoint)) installer.HostEntry {
		hop := jump
		change(&hop)
		return entry(id, installer.Endpoint{Address: address, Port: 22, User: "root"}, hop)
	}
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{entry("jump", jump)}))
	r.ask("SET_REMOTE_INSTALLER", nil, "jump")
	r.finishAll(installer.Succeeded)
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{
		behind("same", "10.0.0.1", func(*installer.Endpoint) {}),
		behind("no-pin", "10.0.0.2", func(e *installer.Endpoint) { e.HostKey = "" }),
		behind("pin", "10.0.0.3", func(e *installer.Endpoint) { e.HostKey = "SHA256:other" }),
		behind("user", "10.0.0.4", func(e *installer.Endpoint) { e.User = "eve" }),
		behind("port", "10.0.0.5", func(e *installer.Endpoint) { e.Port = 2222 }),
	}))
	results := r.ask("INSTALL", nil, "same", "no-pin", "pin", "user", "port")
	for _, res := range results[:2] {
		inv, creds := r.stored(res)
		require.Equal(t, []installer.Endpoint{jump}, inv.Host.Via, "the jump host's pin holds")
		require.True(t, creds.Via[0].IsZero(), "looked up when the host is dialled")
		hostRoutes, err := r.store.Routes(t.Context(), project, installer.RouteChoice{})
		require.NoError(t, err)
		login, found := installer.HopLogin(hostRoutes, inv.Host.Via)
		require.True(t, found)
		require.Equal(t, "of jump", login.Password.Reveal())
	}
	for _, res := range results[2:] {
		itemRefused(t, res, api.ItemJumpHostCredentialMissing, "")
	}
}
