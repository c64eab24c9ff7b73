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

// installsOver dials what is open, and has installed version there.
type installsOver struct {
	*sshdial.Dialer
	outcome installer.Outcome
}

func (d installsOver) Work(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
	_, err := dials{d.Dialer}.Work(ctx, job)
	if err != nil {
		return installer.Outcome{}, err
	}
	return d.outcome, nil
}

func (r *rig) workWith(outcome installer.Outcome) {
	r.t.Helper()
	dialer := sshdial.New(sshdial.Config{HostKeys: r.store, Routes: r.store})
	d := engine.New(engine.Config{Queue: r.store, StopWhenIdle: true, Parallel: 2, Worker: installsOver{dialer, outcome}})
	require.NoError(r.t, d.Run(r.t.Context()))
	require.NoError(r.t, dialer.Close())
}

// TestAFirstJumpHostDoesNotMakeKnownHostsStrangers: a host that was known directly is
// what it was when the project gets its first jump host. The new way is taken over when
// the host was reached by it, which takes the same host key.
func TestAFirstJumpHostDoesNotMakeKnownHostsStrangers(t *testing.T) {
	t.Parallel()
	for name, stranger := range map[string]bool{"same host key": false, "another host key": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			target := sshtest.Start(t, sshtest.Config{})
			jumps := sshtest.Config{Users: []sshtest.User{{Name: "ops", Password: "of jump"}}}
			if stranger {
				jumps.Forwarding.Names = map[string]string{target.Addr(): sshtest.Start(t, sshtest.Config{}).Addr()}
			}
			jump := sshtest.Start(t, jumps)
			to := target.Endpoint("root")
			install := func() api.Result {
				t.Helper()
				res := r.send(http.MethodPost, create, remoteInstall(host(map[string]any{
					"remote_ip": to.Address, "port": strconv.Itoa(int(to.Port)), "password": sshtest.DefaultPassword,
				}))).created(t).Invocations[0]
				require.Equal(t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
				return res
			}
			ends := func(res api.Result, state installer.State) {
				t.Helper()
				require.Equal(t, state, r.list("?invocation_id=" + res.InvocationID).Invocations[0].InvocationStatus)
			}
			found := installer.Outcome{Agent: installer.AgentRunning, TargetVersion: "2.7.2"}
			first := install()
			r.workWith(found)
			ends(first, installer.Succeeded)
			failed := r.ask("UPDATE", nil, first.InstanceID)[0]
			r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindScriptFailed})

			require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{{
				Host:        installer.Host{ID: "jump", Type: installer.ECS, Endpoint: jump.Endpoint("ops")},
				Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("of jump")}},
			}}))
			r.ask("SET_REMOTE_INSTALLER", nil, "jump")
			r.finishAll(installer.Succeeded)

			isKnown := func() installer.KnownHost {
				t.Helper()
				page, err := r.store.Hosts(t.Context(), project, installer.HostFilter{IDs: []string{first.InstanceID}})
				require.NoError(t, err)
				return page.Hosts[0]
			}
			asked := install() // goes through the jump host, and does not get there
			r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindRefused})
			h := isKnown()
			require.Nil(t, h.RouteChoice, "it was not reached there")
			require.Equal(t, "2.7.2", h.Version)
			again := r.ask("RETRY", nil, failed.InvocationID)[0]
			require.Equal(t, api.RetSuccessful, again.RetStatus, again.ErrorMsg)
			inv, creds := r.stored(again)
			require.Nil(t, inv.Host.RouteChoice, "with the login that is kept for the way that is known")
			require.Equal(t, sshtest.DefaultPassword, creds.Password.Reveal())
			r.workWith(installer.Outcome{})
			ends(again, installer.Succeeded)

			// What has not got there is tried again in its own way.
			asked = r.ask("RETRY", nil, asked.InvocationID)[0]
			require.Equal(t, api.RetSuccessful, asked.RetStatus, asked.ErrorMsg)
			inv, _ = r.stored(asked)
			require.NotNil(t, inv.Host.RouteChoice)
			r.workWith(installer.Outcome{CurrentVersion: "2.7.2"}) // and tells nothing of the agent
			require.Equal(t, []string{target.Addr()}, jump.Counts().Forwards)
			retry := r.ask("RETRY", nil, failed.InvocationID)[0]
			require.Equal(t, api.RetSuccessful, retry.RetStatus, retry.ErrorMsg)
			inv, _ = r.stored(retry)
			h = isKnown()
			assert.Equal(t, "2.7.2", h.Version)
			assert.Equal(t, installer.AgentRunning, h.Agent)
			if stranger {
				ends(asked, installer.Failed)
				assert.Nil(t, h.RouteChoice, "it was not reached there")
				assert.Nil(t, inv.Host.RouteChoice)
			} else {
				ends(asked, installer.Succeeded)
				assert.NotNil(t, h.RouteChoice, "it was reached there")
				assert.NotNil(t, inv.Host.RouteChoice)
			}
			assert.NotContains(t, jump.Counts().Passwords, sshtest.DefaultPassword)
		})
	}
}
