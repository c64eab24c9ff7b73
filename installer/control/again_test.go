package control_test

import (
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
