package control_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/control"
)

// TestOtherWorkUnderTheSameID is refused, and not taken for the first one sent again.
func TestOtherWorkUnderTheSameID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := batch(2)
	require.NoError(t, r.client.Submit(t.Context(), first))
	require.NoError(t, r.client.Submit(t.Context(), first), "the same")
	again := first
	again.Items = append([]installer.Item{}, first.Items...)
	again.Items[0].Credentials.Password = installer.NewSecret("typed anew")
	require.NoError(t, r.client.Submit(t.Context(), again), "logins are not looked at")
	for name, change := range map[string]func(*control.Submission){
		"fingerprint": func(s *control.Submission) { s.Fingerprint = "another" },
		"limit":       func(s *control.Submission) { s.MaxFailures = 1 },
		"host":        func(s *control.Submission) { s.Items[0].Invocation.Host.Address = "10.9.9.9" },
		"version":     func(s *control.Submission) { s.Items[1].Invocation.Spec.Version = "2.8.0" },
		"type":        func(s *control.Submission) { s.Items[1].Invocation.Type = installer.Update },
		"fewer":       func(s *control.Submission) { s.Items = s.Items[:1] },
		"more":        func(s *control.Submission) { s.Items = append(s.Items, batch(1).Items...) },
	} {
		s := first
		s.Items = append([]installer.Item{}, first.Items...)
		change(&s)
		err := r.client.Submit(t.Context(), s)
		require.ErrorIs(t, err, installer.ErrExists, name)
		require.ErrorContains(t, err, "asked for something else", name)
	}
	head, err := r.store.Batch(t.Context(), project, first.ID)
	require.NoError(t, err)
	require.Equal(t, 2, head.Total)
}

// TestC04TakenIDs: that an id is another project's is answered as that it is one's
// own, and tells nothing of whose it is or what is there.
func TestC04TakenIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := batch(1)
	require.NoError(t, r.client.Submit(t.Context(), first))
	other := r.connect(r.addToken("p-two"))
	theirs := batch(1)
	theirs.ProjectID = "p-two"
	require.NoError(t, other.Submit(t.Context(), theirs))
	taken := func(client *control.Client, project, invocation string) error {
		s := batch(1)
		s.ProjectID = project
		s.Items[0].Invocation.ID, s.Items[0].Invocation.RunID = invocation, invocation
		err := client.Submit(t.Context(), s)
		require.ErrorIs(t, err, installer.ErrExists)
		return err
	}
	id := first.Items[0].Invocation.ID
	require.Equal(t, taken(r.client, project, id).Error(), taken(other, "p-two", id).Error())
}

// TestC14DeniedAddresses are in the audit log, one entry for a request.
func TestC14DeniedAddresses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := batch(13)
	for i := range 12 {
		s.Items[i].Invocation.Host.Address = fmt.Sprintf("127.0.0.%d", i+1)
	}
	require.ErrorContains(t, r.client.Submit(t.Context(), s), "policy-denied")
	entries, err := r.store.Audit(t.Context(), installer.AuditFilter{Project: project})
	require.NoError(t, err)
	e := entries[len(entries)-1]
	require.Equal(t, installer.AuditDenied, e.Action)
	require.Equal(t, "token tester", e.By)
	require.Equal(t, "12 addresses: policy-denied: 127.0.0.1 is loopback", e.Detail)
	require.Len(t, e.Hosts, 10)
	require.Equal(t, installer.AuditHost{ID: s.Items[0].Invocation.Host.ID, At: "127.0.0.1"}, e.Hosts[0])
	require.NotEqual(t, installer.AuditDenied, entries[len(entries)-2].Action)
}
