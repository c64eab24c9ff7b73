package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// looks makes a batch one that only looks.
func looks(b installer.Batch) installer.Batch {
	for i := range b.Items {
		b.Items[i].Invocation.Spec.CheckOnly = true
	}
	return b
}

// listed is what a list of all that was done has, and one of tasks.
func listed(t *testing.T, s *Store, f installer.Filter) (all, tasks []string) {
	t.Helper()
	f.ProjectID = project
	ids := func(f installer.Filter) (ids []string) {
		page, err := s.Invocations(t.Context(), f)
		require.NoError(t, err)
		require.EqualValues(t, len(page.Invocations), page.Count)
		for _, inv := range page.Invocations {
			ids = append(ids, inv.ID)
		}
		return ids
	}
	all = ids(f)
	f.TasksOnly = true
	return all, ids(f)
}

// TestLooksAreNoTasks: what only looked is in no list of tasks and does not
// count there, in whichever state it is; lists of all work have it.
func TestLooksAreNoTasks(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	submit(t, s, batch("B1", "h1", "look"))
	submit(t, s, looks(batch("L1", "h1", "h2", "h3")))
	task, look := item("B1", 0, "h1").Invocation, item("L1", 0, "h1").Invocation
	for _, state := range []installer.State{"", installer.Pending} {
		all, tasks := listed(t, s, installer.Filter{State: state})
		require.Len(t, all, 5)
		require.Len(t, tasks, 2, "a host that is called look is a host")
	}
	all, tasks := listed(t, s, installer.Filter{InstanceID: task.Host.ID})
	require.Equal(t, []string{look.ID, task.ID}, all)
	require.Equal(t, []string{task.ID}, tasks)
	all, tasks = listed(t, s, installer.Filter{InvocationID: look.ID})
	require.Equal(t, []string{look.ID}, all)
	require.Empty(t, tasks)
	all, tasks = listed(t, s, installer.Filter{BatchID: "L1"})
	require.Len(t, all, 3)
	require.Empty(t, tasks)

	for range 3 {
		finish(t, s, claim(t, s, t0, "L1"), installer.Succeeded)
	}
	all, tasks = listed(t, s, installer.Filter{State: installer.Succeeded})
	require.Len(t, all, 3)
	require.Empty(t, tasks)
}
