package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
)

// look stores what `tripod check` does of a known host, and what it finds there.
func (r *rig) look(id string, tr installer.Transition) installer.Invocation {
	r.t.Helper()
	return r.notInAPI(id, installer.Invocation{Type: installer.Install, Spec: installer.Spec{CheckOnly: true}}, tr)
}

// notInAPI stores what the command line does of a known host.
func (r *rig) notInAPI(id string, inv installer.Invocation, tr installer.Transition) installer.Invocation {
	r.t.Helper()
	h, err := r.store.KnownHost(r.t.Context(), project, id)
	require.NoError(r.t, err)
	name := fmt.Sprintf("look-%d", time.Now().UnixNano())
	inv.ID, inv.Host, inv.Spec.Target = name, h, installer.TargetTelescope
	require.NoError(r.t, r.store.Submit(r.t.Context(), installer.Batch{
		BatchHead: installer.BatchHead{ID: name, ProjectID: project},
		Items:     []installer.Item{{Invocation: inv}},
	}))
	if tr.State != "" {
		r.finishWith(tr)
	}
	inv, err = r.store.Invocation(r.t.Context(), project, name)
	require.NoError(r.t, err)
	return inv
}

// TestOwnTypesAreNotListed: the public API's list of types is closed, and clients may be strict about
// it. What `tripod check`, `uninstall` and `configure` do is not in the list, does not count there, and cannot be
// retried or rolled back by the API. Nor is a RETRY of that.
func TestOwnTypesAreNotListed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	made := r.send(http.MethodPost, create, remoteInstall(entries(3)...)).created(t).Invocations
	r.finishAll(installer.Succeeded)
	failed := installer.Transition{State: installer.Failed, Kind: installer.KindRefused}
	look := r.look(made[0].InstanceID, failed)
	uninstall := r.notInAPI(made[0].InstanceID, installer.Invocation{Type: installer.Uninstall}, failed)
	configure := r.notInAPI(made[0].InstanceID, installer.Invocation{Type: installer.Configure}, failed)
	retry := r.notInAPI(made[0].InstanceID, installer.RetryOf(&uninstall), failed)
	require.Equal(t, installer.Uninstall, retry.Task())
	for query, want := range map[string]int{
		"": 3, "?limit=1": 1, "?offset=2": 1, "?status=FAILED": 0, "?invocation_type=INSTALL": 0, "?invocation_type=RETRY": 0,
		"?invocation_id=" + look.ID: 0, "?invocation_id=" + uninstall.ID: 0, "?invocation_id=" + configure.ID: 0,
		"?invocation_id=" + retry.ID: 0, "?instance_id=" + look.Host.ID: 1,
	} {
		list := r.list(query)
		require.Len(t, list.Invocations, want, query)
		if want == 3 || query == "?limit=1" {
			require.EqualValues(t, 3, list.Count, query)
		}
	}
	for _, kind := range []string{"RETRY", "ROLLBACK"} {
		ids := []string{look.ID, uninstall.ID, configure.ID, retry.ID}
		for _, res := range r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": kind, "invocation_ids": ids})).created(t).Invocations {
			require.Equal(t, api.ItemUnknownInvocation, res.ErrorCode, kind)
		}
	}
	r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": "UNINSTALL", "instance_ids": []string{look.Host.ID}})).
		refused(t, http.StatusBadRequest, api.CodeBodyInvalid, "invocation_type")
}

// TestCurrentVersionBeforeALook: a task that has not looked at its host yet shows
// what was last seen there, then what it has found itself, and never nothing.
func TestCurrentVersionBeforeALook(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	current := func(id string) string {
		list := r.list("?invocation_id=" + id)
		require.Len(t, list.Invocations, 1)
		return list.Invocations[0].CurrentVersion
	}
	first := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0]
	require.Equal(t, "unknown", current(first.InvocationID), "nobody has ever looked")
	r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentRunning, TargetVersion: "2.7.1"}})
	require.Equal(t, "none", current(first.InvocationID), "nothing was there before it")

	second := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0]
	require.Equal(t, "2.7.1", current(second.InvocationID))
	inv, _, err := r.store.Claim(t.Context(), time.Now(), installer.ClaimFilter{})
	require.NoError(t, err)
	require.Equal(t, "2.7.1", current(second.InvocationID), "it is under way and has found nothing yet")
	require.NoError(t, r.store.Finish(t.Context(), inv.Ref(), installer.Transition{
		State: installer.Failed, EndAttempt: true, Kind: installer.KindScriptFailed, At: time.Now(),
		Outcome: installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "2.7.0", TargetVersion: "2.7.0"},
	}))
	require.Equal(t, "2.7.0", current(second.InvocationID), "what it has found goes before")

	lost := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0]
	r.finishWith(installer.Transition{State: installer.Timeout, Outcome: installer.Outcome{Agent: installer.AgentUnknown, CurrentVersion: "2.7.0"}})
	afterIt := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0]
	require.Equal(t, "unknown", current(afterIt.InvocationID), "what was last seen may be so no longer")
	r.finishWith(installer.Transition{State: installer.Failed})
	require.Equal(t, "2.7.0", current(lost.InvocationID))

	r.look(second.InstanceID, installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentNone}})
	third := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0]
	require.Equal(t, "none", current(third.InvocationID))
	require.Equal(t, "2.7.0", current(second.InvocationID), "what is over stays as it was")
}

// TestLookAfterAFailedRun: agent-status says what was found last, also where
// what found it went wrong, and a later look corrects it.
func TestLookAfterAFailedRun(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := newRig(t, func(c *api.Config) {
		c.StatusMaxAge = time.Hour
		c.Clock = func() time.Time { return now }
	})
	id := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0].InstanceID
	is := func(want, why string) {
		t.Helper()
		got, _ := r.statusOf(apitest.StatusQuery{InstanceIDs: []string{id}})
		require.Equal(t, map[string]string{id: want}, got, why)
	}
	is("unknown/unknown/", "nothing has come of it yet")
	r.finishWith(installer.Transition{State: installer.Failed, Kind: installer.KindVerifyFailed,
		Outcome: installer.Outcome{Agent: installer.AgentFault, CurrentVersion: "2.7.0", TargetVersion: "2.7.1"}})
	is("unknown/fault/2.7.1", "what a failed run has left")
	r.look(id, installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "2.7.1"}})
	is("running/running/2.7.1", "somebody has started it since")
	r.look(id, installer.Transition{State: installer.Timeout, Outcome: installer.Outcome{Agent: installer.AgentUnknown}})
	is("unknown/unknown/", "whose end nobody saw")
	r.look(id, installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "2.7.1"}})
	r.look(id, installer.Transition{State: installer.Failed, Kind: installer.KindRefused})
	is("running/running/2.7.1", "a look that saw nothing tells nothing")
	now = now.Add(2 * time.Hour)
	is("unknown/unknown/", "too old")
}
