package control_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plan"
)

// TestOtherWorkUnderTheSameID is refused, and not taken for the first one sent again.
func TestOtherWorkUnderTheSameID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	submit := func(req plan.Request) error {
		_, err := r.client.Submit(t.Context(), req)
		return err
	}
	first := request(2)
	require.NoError(t, submit(first))
	require.NoError(t, submit(first), "the same")
	again := first
	again.Hosts = slices.Clone(first.Hosts)
	again.Hosts[0].Credentials.Password = installer.NewSecret("typed anew")
	require.NoError(t, submit(again), "logins are not looked at")
	for name, change := range map[string]func(*plan.Request){
		"limit":   func(req *plan.Request) { req.MaxFailures.N = 1 },
		"host":    func(req *plan.Request) { req.Hosts[0].Host.Address = "10.9.9.9" },
		"version": func(req *plan.Request) { req.Spec.Version = "2.8.0" },
		"task":    func(req *plan.Request) { req.Task = installer.Update },
		"fewer":   func(req *plan.Request) { req.Hosts = req.Hosts[:1] },
		"more":    func(req *plan.Request) { req.Hosts = append(req.Hosts, request(3).Hosts[2]) },
	} {
		req := first
		req.Hosts = slices.Clone(first.Hosts)
		change(&req)
		err := submit(req)
		require.ErrorIs(t, err, installer.ErrExists, name)
		require.ErrorContains(t, err, "asked for something else", name)
	}
	head, err := r.store.Batch(t.Context(), project, first.BatchID)
	require.NoError(t, err)
	require.Equal(t, 2, head.Total)
}

// TestC04TakenIDs: that an id is another project's is answered as that it is one's
// own, and tells nothing of whose it is or what is there.
func TestC04TakenIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := request(1)
	r.stored(r.client.Submit(t.Context(), first))
	other := r.connect(r.addToken("p-two"))
	theirs := request(1)
	theirs.Project, theirs.BatchID = "p-two", first.BatchID
	_, err := other.Submit(t.Context(), theirs)
	require.ErrorIs(t, err, installer.ErrExists)
	require.NotContains(t, err.Error(), project)
}

// TestARetryThatIsSentAgain is answered with what the first one began.
func TestARetryThatIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.sent(3)
	r.work(first.ID, 2, func(installer.Event) {})
	req := retry(first.ID)
	one, err := r.client.Submit(t.Context(), req)
	require.NoError(t, err)
	two, err := r.client.Submit(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, one.Batch, two.Batch)
	require.Equal(t, 2, one.Batch.Total)
	for _, p := range []control.Planned{one, two} {
		require.Len(t, p.Items, 1)
		require.Equal(t, plan.Done, p.Items[0].Standing)
	}
	three, err := r.client.Submit(t.Context(), retry(first.ID))
	require.NoError(t, err)
	require.Nil(t, three.Batch)
	require.Len(t, three.Items, 3)
	require.Equal(t, plan.Open, three.Items[0].Standing, "it goes on, and is not doubled")
}

// TestC14DeniedAddresses are in the audit log, one entry for a request.
func TestC14DeniedAddresses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := request(13)
	for i := range 12 {
		s.Hosts[i].Host.Address = fmt.Sprintf("127.0.0.%d", i+1)
	}
	_, err := r.client.Submit(t.Context(), s)
	require.ErrorContains(t, err, "policy-denied")
	entries, err := r.store.Audit(t.Context(), installer.AuditFilter{Project: project})
	require.NoError(t, err)
	e := entries[len(entries)-1]
	require.Equal(t, installer.AuditDenied, e.Action)
	require.Equal(t, "token tester", e.By)
	require.Equal(t, "12 addresses: policy-denied: 127.0.0.1 is loopback", e.Detail)
	require.Len(t, e.Hosts, 10)
	require.Equal(t, installer.AuditHost{ID: s.Hosts[0].Host.ID, At: "root@127.0.0.1:22"}, e.Hosts[0])
	require.NotEqual(t, installer.AuditDenied, entries[len(entries)-2].Action)
}
