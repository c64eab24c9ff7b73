package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

// TestStricterHostKeysHoldForOldTasks: what was asked for under weaker rules is
// done again, or undone, under those that the daemon has now; and stricter ones
// of the task stay.
func TestStricterHostKeysHoldForOldTasks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ then, now, want installer.HostKeyPolicy }{
		{installer.AcceptNew, installer.Strict, installer.Strict},
		{installer.Insecure, installer.AcceptNew, installer.AcceptNew},
		{installer.Insecure, installer.Strict, installer.Strict},
		{installer.Strict, installer.AcceptNew, installer.Strict},
		{installer.AcceptNew, installer.Insecure, installer.AcceptNew},
		{installer.Strict, installer.Strict, installer.Strict},
	} {
		r := newRig(t, func(c *api.Config) { c.HostKeys = tc.then })
		made := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations
		other := r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"remote_ip": "10.0.0.2"}))).created(t).Invocations
		claimed, _, err := r.store.Claim(t.Context(), time.Now(), installer.ClaimFilter{})
		require.NoError(t, err)
		require.Equal(t, tc.then, claimed.Spec.HostKeys)
		require.NoError(t, r.store.Finish(t.Context(), claimed.Ref(), installer.Transition{State: installer.Failed, Kind: installer.KindRefused, EndAttempt: true, At: time.Now()}))
		r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Changed: true, TargetVersion: "1"}})

		r.restart(func(c *api.Config) { c.HostKeys = tc.now })
		failed, done := made[0].InvocationID, other[0].InvocationID
		if claimed.ID != failed {
			failed, done = done, failed
		}
		for kind, id := range map[string]string{"RETRY": failed, "ROLLBACK": done} {
			inv, _ := r.stored(r.ask(kind, nil, id)[0])
			require.Equal(t, tc.want, inv.Spec.HostKeys, "%s of a task with %s on a daemon with %s", kind, tc.then, tc.now)
		}
	}
}
