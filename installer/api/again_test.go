package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

// TestRollbackOfWhatWasReplaced: the item says which task is in the way, and the
// others of the request are done.
func TestRollbackOfWhatWasReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	install := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0]
	r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Changed: true, TargetVersion: "1"}})
	update := r.ask("UPDATE", nil, install.InstanceID)[0]
	r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Changed: true, CurrentVersion: "1", TargetVersion: "2"}})

	both := r.ask("ROLLBACK", nil, install.InvocationID, update.InvocationID)
	itemRefused(t, both[0], api.ItemNotAllowed, "no ROLLBACK: a later task changed the host and is not undone: "+update.InvocationID)
	require.Equal(t, api.RetSuccessful, both[1].RetStatus)
	itemRefused(t, r.ask("ROLLBACK", nil, install.InvocationID)[0], api.ItemNotAllowed, update.InvocationID) // it waits
	r.finishWith(installer.Transition{State: installer.Succeeded})
	require.Equal(t, api.RetSuccessful, r.ask("ROLLBACK", nil, install.InvocationID)[0].RetStatus)
}

// TestOneTaskAboutAnOriginal: a request that names it twice, by its own id and by
// that of its RETRY, and one that names it while another is open.
func TestOneTaskAboutAnOriginal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0]
	r.finishAll(installer.Failed)
	retry := r.ask("RETRY", nil, first.InvocationID)[0]
	r.finishAll(installer.Failed)
	both := r.ask("RETRY", nil, first.InvocationID, retry.InvocationID)
	require.Equal(t, api.RetSuccessful, both[0].RetStatus)
	itemRefused(t, both[1], api.ItemUnderWay, "about the same original")
	itemRefused(t, r.ask("RETRY", nil, retry.InvocationID)[0], api.ItemUnderWay, both[0].InvocationID)
}
