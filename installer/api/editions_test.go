package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

// TestEditionIsKept: a host keeps the edition that it was given; one of which
// nobody knows it gets basic, however new advance is; version_type changes it.
func TestEditionIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.addPackage("amd64", "2.0", installer.Basic)
	r.addPackage("amd64", "2.0.1", installer.Advance)
	r.addPackage("amd64", "3.0", installer.Basic)
	r.addPackage("amd64", "9.0", installer.Advance)
	ask := func(more map[string]any) api.Result {
		t.Helper()
		return r.send(http.MethodPost, create, asJSON(more)).created(t).Invocations[0]
	}
	known := func(id string) installer.KnownHost {
		page, err := r.store.Hosts(t.Context(), project, installer.HostFilter{IDs: []string{id}})
		require.NoError(t, err)
		require.Len(t, page.Hosts, 1)
		return page.Hosts[0]
	}
	// done does what was chosen, and tells version and edition.
	done := func(res api.Result) string {
		t.Helper()
		require.Equal(t, api.RetSuccessful, res.RetStatus, res.ErrorMsg)
		inv, _ := r.stored(res)
		require.Len(t, inv.Spec.Packages, 1)
		p := inv.Spec.Packages[0]
		r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{
			Agent: installer.AgentRunning, CurrentVersion: known(res.InstanceID).Version, TargetVersion: p.Version,
		}})
		return p.Version + " " + string(p.Edition)
	}
	fresh := func(ip string, more map[string]any) api.Result {
		body := map[string]any{"invocation_type": "REMOTE_INSTALL", "remote_install_meta": []any{host(map[string]any{"remote_ip": ip})}}
		for k, v := range more {
			body[k] = v
		}
		return ask(body)
	}
	on := func(kind, id string, more map[string]any) api.Result {
		body := map[string]any{"invocation_type": kind, "instance_ids": []string{id}}
		for k, v := range more {
			body[k] = v
		}
		return ask(body)
	}
	basic := fresh("10.0.0.1", nil)
	require.Equal(t, "3.0 BASIC_VERSION", done(basic), "basic goes first")
	advance := fresh("10.0.0.2", map[string]any{"version_type": "ADVANCE_VERSION", "version": "2.0.1"})
	require.Equal(t, "2.0.1 ADVANCE_VERSION", done(advance))
	require.Equal(t, installer.Advance, known(advance.InstanceID).Edition)

	require.Equal(t, "9.0 ADVANCE_VERSION", done(on("UPDATE", advance.InstanceID, nil)))
	require.Equal(t, "3.0 BASIC_VERSION", done(on("UPDATE", basic.InstanceID, nil)))
	require.Equal(t, "9.0 ADVANCE_VERSION", done(on("INSTALL", advance.InstanceID, nil)))
	require.Equal(t, "9.0 ADVANCE_VERSION", done(fresh("10.0.0.2", nil)), "by its address too")

	// A version that is named counts first, and brings its edition.
	require.Equal(t, "2.0 BASIC_VERSION", done(on("UPDATE", advance.InstanceID, map[string]any{"version": "2.0"})), "of that version there is basic only")
	require.Equal(t, installer.Basic, known(advance.InstanceID).Edition)
	require.Equal(t, "9.0 ADVANCE_VERSION", done(on("INSTALL", advance.InstanceID, map[string]any{"version": "9.0"})))
	require.Equal(t, installer.Advance, known(advance.InstanceID).Edition)
	longest := strings.Repeat("7", 64)
	for _, more := range []map[string]any{{"version": longest}, {"version": longest, "version_type": "ADVANCE_VERSION"}} {
		refused := on("UPDATE", advance.InstanceID, more)
		require.Equal(t, api.ItemPackageMissing, refused.ErrorCode)
		require.Contains(t, refused.ErrorMsg, longest)
		if edition := more["version_type"]; edition != nil {
			require.Contains(t, refused.ErrorMsg, edition)
		}
		require.LessOrEqual(t, len(refused.ErrorMsg), 128)
		require.NotContains(t, refused.ErrorMsg, "…", "nothing was cut off")
	}

	// Both editions have one version.
	r.addPackage("amd64", "4.0", installer.Advance)
	ref, err := r.store.PutBlob(t.Context(), http.NoBody, "other.tar.gz")
	require.NoError(t, err)
	ref.Arch, ref.Version = "amd64", "4.0"
	require.NoError(t, r.store.AddPackage(t.Context(), installer.Package{BlobRef: ref, Target: "telescope", Edition: installer.Basic}))
	require.Equal(t, "4.0 ADVANCE_VERSION", done(on("UPDATE", advance.InstanceID, map[string]any{"version": "4.0"})))
	require.Equal(t, "4.0 BASIC_VERSION", done(on("UPDATE", basic.InstanceID, map[string]any{"version": "4.0"})))
	require.Equal(t, "4.0 BASIC_VERSION", done(fresh("10.0.0.3", map[string]any{"version": "4.0"})))

	// One that is asked for is taken, and kept from then on; a ROLLBACK takes it back.
	changed := on("UPDATE", basic.InstanceID, map[string]any{"version_type": "ADVANCE_VERSION", "version": "9.0"})
	require.Equal(t, "9.0 ADVANCE_VERSION", done(changed))
	require.Equal(t, installer.Advance, known(basic.InstanceID).Edition)
	back := ask(map[string]any{"invocation_type": "ROLLBACK", "invocation_ids": []string{changed.InvocationID}})
	require.Equal(t, api.RetSuccessful, back.RetStatus, back.ErrorMsg)
	r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "9.0", TargetVersion: "4.0"}})
	require.Equal(t, installer.Basic, known(basic.InstanceID).Edition)

	// What somebody else has installed is of no known edition.
	r.look(advance.InstanceID, installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "4.0"}})
	require.Equal(t, installer.Advance, known(advance.InstanceID).Edition, "the same is there")
	r.look(advance.InstanceID, installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "1.0"}})
	require.Empty(t, known(advance.InstanceID).Edition)
	require.Equal(t, "4.0 BASIC_VERSION", done(on("UPDATE", advance.InstanceID, nil)))
}
