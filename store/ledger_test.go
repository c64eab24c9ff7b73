package store

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/storetest"
)

func ids(page installer.Page) []string {
	got := make([]string, len(page.Invocations))
	for i, inv := range page.Invocations {
		got[i] = inv.ID
	}
	return got
}

func TestFiltersAndPages(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	old := batch("B1", "h1", "h2", "h3")
	old.Items[1].Invocation.Type = installer.Install
	old.Items[2].Invocation.Host.Type = installer.BMS
	old.Items[2].Invocation.Spec.Target = "other"
	submit(t, s, old)
	finish(t, s, claim(t, s, t0, ""), installer.Failed)
	later := batch("B2", "h1", "h2")
	later.Created = t0.Add(time.Second)
	submit(t, s, later)
	foreign := batch("B3", "h1")
	foreign.ProjectID = "another"
	submit(t, s, foreign)

	for name, c := range map[string]struct {
		f     installer.Filter
		want  string
		count int64
	}{
		"all":                {installer.Filter{}, "B2-0001 B2-0000 B1-0002 B1-0001 B1-0000", 5},
		"limit":              {installer.Filter{Limit: 2}, "B2-0001 B2-0000", 5},
		"offset":             {installer.Filter{Offset: 3, Limit: 100}, "B1-0001 B1-0000", 5},
		"past the end":       {installer.Filter{Offset: 9999999999999, Limit: 100}, "", 5},
		"batch":              {installer.Filter{BatchID: "B1"}, "B1-0002 B1-0001 B1-0000", 3},
		"batch and state":    {installer.Filter{BatchID: "B1", State: installer.Failed}, "B1-0000", 1},
		"batch and host":     {installer.Filter{BatchID: "B1", InstanceID: "h2"}, "B1-0001", 1},
		"host":               {installer.Filter{InstanceID: "h1"}, "B2-0000 B1-0000", 2},
		"host's beginning":   {installer.Filter{InstanceID: "h"}, "", 0},
		"host, second page":  {installer.Filter{InstanceID: "h1", Offset: 1, Limit: 1}, "B1-0000", 2},
		"type":               {installer.Filter{Type: installer.Install}, "B1-0001", 1},
		"instance type":      {installer.Filter{InstanceType: installer.BMS}, "B1-0002", 1},
		"target":             {installer.Filter{Target: "other"}, "B1-0002", 1},
		"target and state":   {installer.Filter{Target: "telescope", State: installer.Pending}, "B2-0001 B2-0000 B1-0001", 3},
		"id":                 {installer.Filter{InvocationID: "B1-0001"}, "B1-0001", 1},
		"id and offset":      {installer.Filter{InvocationID: "B1-0001", Offset: 1}, "", 1},
		"id of other state":  {installer.Filter{InvocationID: "B1-0001", State: installer.Failed}, "", 0},
		"id of other batch":  {installer.Filter{InvocationID: "B1-0001", BatchID: "B2"}, "", 0},
		"id of other host":   {installer.Filter{InvocationID: "B1-0001", InstanceID: "h1"}, "", 0},
		"id of nobody":       {installer.Filter{InvocationID: "nobody"}, "", 0},
		"another's id":       {installer.Filter{InvocationID: "B3-0000"}, "", 0},
		"another's batch":    {installer.Filter{BatchID: "B3"}, "", 0},
		"the other project":  {installer.Filter{ProjectID: "another"}, "B3-0000", 1},
		"an unknown project": {installer.Filter{ProjectID: "anothe"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.f
			if f.ProjectID == "" {
				f.ProjectID = project
			}
			page, err := s.Invocations(t.Context(), f)
			require.NoError(t, err)
			assert.Equal(t, strings.Fields(c.want), ids(page))
			assert.Equal(t, c.count, page.Count)
		})
	}
	_, err := s.Invocations(t.Context(), installer.Filter{})
	require.Error(t, err, "the project is required")
}

// TestC04OtherProjects: what is another project's is not found.
func TestC04OtherProjects(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newTest(t, Options{KeepOther: time.Hour})
	submit(t, s, batch("B1", "h1"))
	require.NoError(t, s.PinKey(ctx, project, "10.0.0.1:22", "ssh-ed25519 AAAA"))
	const other = "another"
	_, err := s.Invocation(ctx, other, "B1-0000")
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = s.Log(ctx, other, "B1-0000")
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = s.Cancel(ctx, other, "B1-0000")
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = s.Batch(ctx, other, "B1")
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = s.KnownHost(ctx, other, "h1")
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = keptHostCredentials(ctx, s, other, "h1")
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, found, err := s.OpenBatch(ctx, other, "print-B1")
	require.NoError(t, err)
	assert.False(t, found)
	heads, err := s.Batches(ctx, other, 10)
	require.NoError(t, err)
	assert.Empty(t, heads)
	keys, err := s.PinnedKeys(ctx, other, "10.0.0.1:22")
	require.NoError(t, err)
	assert.Empty(t, keys)
	inv, err := s.Invocation(ctx, project, "B1-0000")
	require.NoError(t, err)
	assert.Equal(t, installer.Pending, inv.State, "untouched")
}

func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{KeepOther: time.Hour})
	submit(t, s, batch("B1", "h1"))
	change := func(f func(*installer.Batch)) installer.Batch {
		b := batch("B2", "h1", "h2")
		f(&b)
		return b
	}
	for name, b := range map[string]installer.Batch{
		"no items":           change(func(b *installer.Batch) { b.Items = nil }),
		"id with a slash":    change(func(b *installer.Batch) { b.ID = "../B2" }),
		"no id":              change(func(b *installer.Batch) { b.ID = "" }),
		"project ..":         change(func(b *installer.Batch) { b.ProjectID = ".." }),
		"project too long":   change(func(b *installer.Batch) { b.ProjectID = strings.Repeat("p", 65) }),
		"invocation id":      change(func(b *installer.Batch) { b.Items[1].Invocation.ID = "a/b" }),
		"host id with NUL":   change(func(b *installer.Batch) { b.Items[1].Invocation.Host.ID = "a\x00b" }),
		"no host id":         change(func(b *installer.Batch) { b.Items[1].Invocation.Host.ID = "" }),
		"target with NUL":    change(func(b *installer.Batch) { b.Items[1].Invocation.Spec.Target = "a\x00" }),
		"unknown type":       change(func(b *installer.Batch) { b.Items[0].Invocation.Type = "DESTROY" }),
		"not pending":        change(func(b *installer.Batch) { b.Items[0].Invocation.State = installer.Succeeded }),
		"other project":      change(func(b *installer.Batch) { b.Items[0].Invocation.ProjectID = "x" }),
		"other batch":        change(func(b *installer.Batch) { b.Items[0].Invocation.BatchID = "x" }),
		"invocation twice":   change(func(b *installer.Batch) { b.Items[1].Invocation.ID = b.Items[0].Invocation.ID }),
		"invocation is used": change(func(b *installer.Batch) { b.Items[1].Invocation.ID = "B1-0000" }),
		"batch is used":      change(func(b *installer.Batch) { b.ID = "B1" }),
	} {
		err := s.Submit(t.Context(), b)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, installer.ErrStorage, name)
		if strings.Contains(name, "used") || strings.Contains(name, "twice") {
			require.ErrorIs(t, err, installer.ErrExists, name)
		}
	}
	page, err := s.Invocations(t.Context(), installer.Filter{ProjectID: project})
	require.NoError(t, err)
	assert.EqualValues(t, 1, page.Count, "all or nothing")
	assert.Equal(t, 1, keyCount(s), "no key of a refused batch is left behind")
	_, err = s.Credentials(t.Context(), &page.Invocations[0])
	require.NoError(t, err, "the first batch's credentials are untouched")
}

// TestOpenBatch: while a batch is open no other one of the same work gets in.
func TestOpenBatch(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	for i, id := range []string{"B1", "B2", "B3"} {
		b := batch(id, "h1", "h2")
		b.Fingerprint, b.Created = "same", t0.Add(time.Duration(i)*time.Second)
		submit(t, s, b)
		again := batch("A"+id, "h1", "h2")
		again.Fingerprint = "same"
		require.ErrorIs(t, s.Submit(t.Context(), again), installer.ErrUnderWay)
		again.Fingerprint = "another " + id
		submit(t, s, again)
		head, found, err := s.OpenBatch(t.Context(), project, "same")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, id, head.ID)
		for inv := claim(t, s, t0, id); inv != nil; inv = claim(t, s, t0, id) {
			finish(t, s, inv, installer.Failed)
		}
		_, found, err = s.OpenBatch(t.Context(), project, "same")
		require.NoError(t, err)
		assert.False(t, found)
	}
	heads, err := s.Batches(t.Context(), project, 0)
	require.NoError(t, err)
	require.Len(t, heads, 6)
	assert.Equal(t, "test", heads[0].Source)
}

func TestRollbackMarksTheOriginal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		via  installer.Type // how the rollback that succeeds came about
		want installer.State
	}{
		"rollback":          {installer.Rollback, installer.Rollbacked},
		"retry of rollback": {installer.Retry, installer.Rollbacked},
		"update":            {installer.Update, installer.Succeeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTest(t, Options{})
			run := func(id string, typ installer.Type, of string, end installer.State) {
				b := batch(id, "h1")
				b.Items[0].Invocation.Type, b.Items[0].Invocation.Of = typ, of
				if typ == installer.Retry {
					b.Items[0].Invocation.Spec.Task = installer.Rollback
				}
				submit(t, s, b)
				finish(t, s, claim(t, s, t0, id), end)
			}
			run("B1", installer.Install, "", installer.Succeeded)
			of := "B1-0000"
			if c.via == installer.Retry {
				run("B2", installer.Rollback, of, installer.Failed)
				run("B2b", installer.Retry, "B2-0000", installer.Timeout)
				of = "B2b-0000"
			}
			run("B3", c.via, of, installer.Succeeded)
			inv, err := s.Invocation(t.Context(), project, "B1-0000")
			require.NoError(t, err)
			assert.Equal(t, c.want, inv.State)
			head, err := s.Batch(t.Context(), project, "B1")
			require.NoError(t, err)
			assert.Equal(t, map[installer.State]int{c.want: 1}, head.ByState)
		})
	}
}

func TestFinishRefusesWhatTheStateMachineDoes(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	submit(t, s, batch("B1", "h1"))
	inv := claim(t, s, t0, "")
	for _, state := range []installer.State{"", installer.Running, installer.Rollbacked, "DONE"} {
		err := s.Finish(t.Context(), inv.Ref(), installer.Transition{State: state, At: t0})
		require.ErrorContains(t, err, "RUNNING cannot become")
	}
	finish(t, s, inv, installer.Succeeded)
}

// TestWaitingOfOneBatchDoesNotHideAnothers: of two batches that wait for one
// host, each gets on when only it is worked on.
func TestWaitingOfOneBatchDoesNotHideAnothers(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	submit(t, s, batch("B1", "h1"))
	submit(t, s, batch("B2", "h1", "h1"))
	submit(t, s, batch("B3", "h1"))
	first := claim(t, s, t0, "B1")
	for _, scope := range []string{"", "B2", "B3"} {
		require.Nil(t, claim(t, s, t0, scope), "A18: one after the other")
	}
	finish(t, s, first, installer.Succeeded)
	third := claim(t, s, t0, "B3")
	require.NotNil(t, third)
	require.Nil(t, claim(t, s, t0, ""))
	finish(t, s, third, installer.Succeeded)
	for range 2 {
		inv := claim(t, s, t0, "B2")
		require.NotNil(t, inv)
		finish(t, s, inv, installer.Succeeded)
	}
}

// TestConcurrentWorkers: each invocation is claimed once, never two on one
// host, every step is there; readers in between see sums that are right.
func TestConcurrentWorkers(t *testing.T) {
	t.Parallel()
	s := openTest(t, storetest.Dir(t), Options{})
	const batches, workers = 6, 16
	ctx := t.Context()
	var onHost sync.Map
	var done atomic.Int64
	var wg sync.WaitGroup
	for n := range batches {
		wg.Go(func() { assert.NoError(t, s.Submit(ctx, batch(fmt.Sprintf("B%d", n), hostNames(20)...))) })
	}
	for range workers {
		wg.Go(func() {
			for done.Load() < batches*20 {
				inv, _, err := s.Claim(ctx, t0, everything)
				if !assert.NoError(t, err) {
					return
				}
				if inv == nil {
					continue
				}
				other, taken := onHost.LoadOrStore(inv.Host.ID, inv.ID)
				assert.False(t, taken, "%s and %v on one host", inv.ID, other)
				for range 2 {
					assert.NoError(t, s.Journal(ctx, inv.Ref(), installer.StepRecord{Step: installer.StepRun}))
				}
				onHost.Delete(inv.Host.ID)
				assert.NoError(t, s.Finish(ctx, inv.Ref(), installer.Transition{State: installer.Succeeded, At: t0}))
				assert.ErrorIs(t, s.Finish(ctx, inv.Ref(), installer.Transition{State: installer.Failed, At: t0}), installer.ErrStale)
				done.Add(1)
			}
		})
	}
	wg.Go(func() {
		for done.Load() < batches*20 {
			heads, err := s.Batches(ctx, project, 0)
			assert.NoError(t, err)
			for _, h := range heads {
				assert.Equal(t, 20, h.Total)
			}
		}
	})
	wg.Wait()
	page, err := s.Invocations(ctx, installer.Filter{ProjectID: project, State: installer.Succeeded})
	require.NoError(t, err)
	require.EqualValues(t, batches*20, page.Count)
	for _, inv := range page.Invocations {
		require.EqualValues(t, 1, inv.Claim)
		require.Len(t, inv.Attempts, 1)
		require.Len(t, inv.Attempts[0].Steps, 2)
	}
	assert.Zero(t, s.db.Writers())
}

func TestHosts(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	submit(t, s, batch("B1", "h2", "h1"))
	changed := batch("B2", "h1")
	changed.Items[0].Invocation.Host.Port = 2222
	changed.Items[0].Credentials = installer.Credentials{}
	submit(t, s, changed)
	h, err := s.KnownHost(t.Context(), project, "h1")
	require.NoError(t, err)
	assert.EqualValues(t, 22, h.Port, "a submission without credentials does not move the host away from those that are kept")
	c, err := keptHostCredentials(t.Context(), s, project, "h1")
	require.NoError(t, err)
	assert.Equal(t, "pw-h1", c.Password.Reveal(), "a submission without credentials leaves the stored ones")
	page, err := s.Hosts(t.Context(), project, installer.HostFilter{})
	require.NoError(t, err)
	require.Len(t, page.Hosts, 2)
	assert.Equal(t, "h1", page.Hosts[0].ID)
	_, err = s.KnownHost(t.Context(), project, "h")
	require.ErrorIs(t, err, installer.ErrNotFound)
}
