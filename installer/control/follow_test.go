package control_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plan"
)

// told counts what a follower was told of each invocation.
type told struct{ begun, ended map[string]int }

func newTold() *told { return &told{map[string]int{}, map[string]int{}} }

func (c *told) watch(e installer.Event) {
	switch {
	case e.End != nil && e.End.State.Terminal():
		c.ended[e.InvocationID]++
	case e.End == nil && e.Step == "":
		c.begun[e.InvocationID]++
	}
}

// once checks that each invocation of the batch was told once.
func (c *told) once(t *testing.T, s sent) {
	t.Helper()
	for _, inv := range s.Invs {
		require.Equal(t, 1, c.ended[inv.ID], "the end of %s", inv.ID)
		require.Equal(t, 1, c.begun[inv.ID], "the beginning of %s", inv.ID)
	}
}

// run follows until it is over.
func run(ctx context.Context, f *control.Follower, watch func(installer.Event)) error {
	_, err := f.Work(ctx, control.Work{}, watch)
	return err
}

func TestFollowTellsEverythingOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		watch func(*rig) func(installer.Event)
		first bool // the work is over before anybody follows
	}{
		"while it happens":                   {watch: func(r *rig) func(installer.Event) { return r.hub.Watch }},
		"when it is over":                    {watch: func(r *rig) func(installer.Event) { return r.hub.Watch }, first: true},
		"of a process that has died":         {watch: func(*rig) func(installer.Event) { return func(installer.Event) {} }, first: true},
		"though the daemon has no event any": {watch: func(r *rig) func(installer.Event) { return func(installer.Event) { r.hub.Nudge() } }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			s := r.sent(20)
			if c.first {
				r.work(s.ID, 5, c.watch(r))
			}
			f, err := r.client.Follow(t.Context(), s.ID, "", func(error) {})
			require.NoError(t, err)
			require.Equal(t, 20, f.Head.Open, "who has submitted it sees all of it")
			var working sync.WaitGroup
			defer working.Wait()
			if !c.first {
				working.Go(func() { r.work(s.ID, 5, c.watch(r)) })
			}
			got := newTold()
			require.NoError(t, run(t.Context(), f, got.watch))
			got.once(t, s)
		})
	}
}

// TestFollowGoesOn: who comes later is told what happens from then on.
func TestFollowGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sent(4)
	_, err := r.store.Cancel(t.Context(), project, s.Invs[0].ID)
	require.NoError(t, err)
	late := r.connect(r.token)
	f, err := late.Follow(t.Context(), s.ID, "", func(error) {})
	require.NoError(t, err)
	require.Equal(t, 3, f.Head.Open)
	var working sync.WaitGroup
	defer working.Wait()
	working.Go(func() { r.work(s.ID, 0, r.hub.Watch) })
	got := newTold()
	require.NoError(t, run(t.Context(), f, got.watch))
	require.Zero(t, got.ended[s.Invs[0].ID])
	require.Len(t, got.ended, 3)

	// One invocation alone.
	f, err = late.Follow(t.Context(), s.ID, s.Invs[1].ID, func(error) {})
	require.NoError(t, err)
	require.NoError(t, run(t.Context(), f, got.watch), "it has ended")
}

func TestFollowOutlivesALostDaemon(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sent(5)
	var lost, back atomic.Int64
	f, err := r.client.Follow(t.Context(), s.ID, "", func(err error) {
		if err == nil {
			back.Add(1)
			return
		}
		if lost.Add(1) == 1 { // it works on while nobody can ask
			r.work(s.ID, 0, r.hub.Watch)
			time.AfterFunc(time.Second, func() { r.down.Store(false) })
		}
	})
	require.NoError(t, err)
	r.down.Store(true)
	got := newTold()
	require.NoError(t, run(t.Context(), f, got.watch))
	got.once(t, s)
	require.EqualValues(t, 1, lost.Load(), "it is said once")
	require.EqualValues(t, 1, back.Load())

	// Whoever gives up is let go at once, also then.
	s = r.sent(1)
	ctx, cancel := context.WithCancelCause(t.Context())
	f, err = r.client.Follow(t.Context(), s.ID, "", func(error) { cancel(errors.New("enough")) })
	require.NoError(t, err)
	r.down.Store(true)
	require.NoError(t, run(ctx, f, got.watch))
	r.down.Store(false)
}

// TestHubForgets: a follower that is too slow is told that it has missed something.
func TestHubForgets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sent(2)
	f, err := r.client.Follow(t.Context(), s.ID, "", func(error) {})
	require.NoError(t, err)
	r.work(s.ID, 1, r.hub.Watch)
	noise := &installer.Invocation{ID: "x", BatchID: "other", ProjectID: project}
	for range 20_000 {
		r.hub.Watch(installer.EventOf(noise, time.Time{}))
	}
	got := newTold()
	require.NoError(t, run(t.Context(), f, got.watch))
	got.once(t, s)
}

func TestLimitOfFailures(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sent(10, func(req *plan.Request) { req.MaxFailures.N = 3 })
	limit := control.Limiter(r.store, nil)
	r.work(s.ID, 10, limit)
	head, err := control.GetBatch.Call(t.Context(), r.client, control.ID{ID: s.ID})
	require.NoError(t, err)
	require.Equal(t, 3, head.ByState[installer.Failed])
	require.Equal(t, 7, head.ByState[installer.Canceled])
	require.True(t, control.LimitReached(head.BatchHead))

	s = r.sent(10)
	r.work(s.ID, 10, limit)
	head, err = control.GetBatch.Call(t.Context(), r.client, control.ID{ID: s.ID})
	require.NoError(t, err)
	require.Equal(t, 10, head.ByState[installer.Failed], "no limit")
}

func TestLogIsStreamed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sent(1)
	inv := s.Invs[0]
	log, err := r.client.Log(t.Context(), inv.ID)
	require.NoError(t, err)
	require.Empty(t, readAll(t, log), "none yet")

	want := strings.Repeat("a line\x1b[31m \xff\n", 100_000)
	inv.BatchID = s.ID
	w, err := r.store.OpenLog(t.Context(), &inv)
	require.NoError(t, err)
	_, err = io.WriteString(w, want)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	log, err = r.client.Log(t.Context(), inv.ID)
	require.NoError(t, err)
	require.Equal(t, want, readAll(t, log), "byte for byte")
	_, err = r.client.Log(t.Context(), "unknown")
	require.ErrorIs(t, err, installer.ErrNotFound)
}
