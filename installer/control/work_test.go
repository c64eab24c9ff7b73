package control_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
	"tripod/installer/engine"
	"tripod/installer/plan"
	"tripod/store"
)

// shift is a process that has a state folder for one command: hosts are worked on
// when they are let go.
type shift struct {
	*control.OnDemand
	store  *store.Store
	hub    *control.Hub
	server *httptest.Server
	begun  chan string // addresses, as their work begins
	letGo  chan struct{}
	most   atomic.Int64 // at once
}

// newShift begins one on a folder. Its end is what a command does at its own.
func newShift(t *testing.T, dir string, most int) *shift {
	t.Helper()
	st, err := store.Open(dir, store.Options{})
	require.NoError(t, err)
	s := &shift{store: st, begun: make(chan string, 100), letGo: make(chan struct{})}
	var now atomic.Int64
	work := installerFunc(func(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
		s.most.Store(max(s.most.Load(), now.Add(1)))
		defer now.Add(-1)
		s.begun <- job.Invocation.Host.Address
		select {
		case <-s.letGo:
			if job.Invocation.Host.Name == "bad" {
				return installer.Outcome{}, installer.Fail(installer.KindScriptFailed, "no")
			}
			return installer.Outcome{}, nil
		case <-ctx.Done():
			return installer.Outcome{}, context.Cause(ctx)
		}
	})
	hub := control.NewHub()
	s.OnDemand = control.NewOnDemand(control.OnDemandConfig{
		Store: st, Watch: hub.Watch, MostParallel: most,
		Dispatcher: func(c engine.Config) *engine.Dispatcher {
			c.Queue, c.Worker = st, work
			return engine.New(c)
		},
	})
	routes := control.Routes(control.Config{
		Store: st, Hub: hub, Engine: s.OnDemand, Planner: plan.NewPlanner(plan.Planner{Store: st, HostKeys: installer.Insecure}),
	})
	s.server = httptest.NewServer(api.NewLocal(routes, func(*http.Request) string { return "somebody" }, slog.New(slog.DiscardHandler)))
	s.hub = hub
	return s
}

func (s *shift) end(t *testing.T) {
	s.OnDemand.Close()
	s.hub.Close()
	s.server.CloseClientConnections() // as of a process that ends
	s.server.Close()
	require.NoError(t, s.store.Close())
}

// command is a client of whoever has the folder just now.
func command(t *testing.T, at *atomic.Pointer[shift]) *control.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at.Load().server.Listener.Addr().String())
	}}
	c, err := control.Local(t.Context(), &api.Client{BaseURL: "http://tripod", HTTP: &http.Client{Transport: transport}}, project, func() error { return nil })
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func onShift(t *testing.T, most int) (*shift, *atomic.Pointer[shift]) {
	t.Helper()
	at := &atomic.Pointer[shift]{}
	s := newShift(t, t.TempDir()+"/state", most)
	at.Store(s)
	t.Cleanup(func() { at.Load().end(t) })
	return s, at
}

// follow submits a batch and follows it.
func follow(t *testing.T, c *control.Client, b plan.Request) *control.Follower {
	t.Helper()
	_, err := c.Submit(t.Context(), b)
	require.NoError(t, err)
	return followAgain(t, c, b.BatchID)
}

func followAgain(t *testing.T, c *control.Client, batch string) *control.Follower {
	t.Helper()
	f, err := c.Follow(t.Context(), batch, "", func(error) {})
	require.NoError(t, err)
	return f
}

func ignored(installer.Event) {}

// states counts the batch's invocations.
func states(t *testing.T, c *control.Client, batch string) map[installer.State]int {
	t.Helper()
	head, err := control.GetBatch.Call(t.Context(), c, control.ID{ID: batch})
	require.NoError(t, err)
	return head.ByState
}

// inBackground works until the returned function is asked how it ended.
func inBackground(ctx context.Context, f *control.Follower, o control.Work) func() (control.Worked, error) {
	var how control.Worked
	var err error
	var done sync.WaitGroup
	done.Go(func() { how, err = f.Work(ctx, o, ignored) })
	return func() (control.Worked, error) {
		done.Wait()
		return how, err
	}
}

func TestWorkIsDoneForWhoFollows(t *testing.T) {
	t.Parallel()
	s, at := onShift(t, 0)
	close(s.letGo)
	c := command(t, at)
	b := request(5)
	f := follow(t, c, b)
	assert.Equal(t, 5, states(t, c, b.BatchID)[installer.Pending], "nobody has followed it yet")
	ended := 0
	how, err := f.Work(t.Context(), control.Work{Parallel: 2}, func(e installer.Event) {
		if e.End != nil {
			ended++
		}
	})
	require.NoError(t, err)
	assert.Equal(t, control.Worked{}, how)
	assert.Equal(t, 5, ended)
	assert.LessOrEqual(t, s.most.Load(), int64(2))
	assert.Equal(t, 5, states(t, c, b.BatchID)[installer.Succeeded])
}

// TestWorkGoesOnForTheOthers: who leaves interrupts only what nobody else follows.
func TestWorkGoesOnForTheOthers(t *testing.T) {
	t.Parallel()
	s, at := onShift(t, 0)
	one, two := command(t, at), command(t, at)
	b := request(1)
	firstCtx, leaveFirst := context.WithCancel(t.Context())
	secondCtx, leaveSecond := context.WithCancel(t.Context())
	first := inBackground(firstCtx, follow(t, one, b), control.Work{})
	<-s.begun
	second := inBackground(secondCtx, followAgain(t, two, b.BatchID), control.Work{})
	_, err := followAgain(t, two, b.BatchID).Work(t.Context(), control.Work{Parallel: 7}, ignored)
	require.ErrorContains(t, err, "--parallel: another command works on this batch, 32 hosts at once")
	_, err = followAgain(t, two, b.BatchID).Work(t.Context(), control.Work{MaxFailures: 7}, ignored)
	require.ErrorContains(t, err, "--max-failures: another command works on this batch")
	joined(t, s, 2)

	leaveFirst()
	how, err := first()
	require.NoError(t, err)
	assert.Equal(t, control.Worked{Shared: true}, how)
	assert.Equal(t, 1, states(t, one, b.BatchID)[installer.Running])
	leaveSecond()
	how, err = second()
	require.NoError(t, err)
	assert.Equal(t, control.Worked{}, how)
	assert.Equal(t, 1, states(t, one, b.BatchID)[installer.Pending], "it has come to rest when Work returns")
}

// joined waits until so many follow.
func joined(t *testing.T, s *shift, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.Followers() == n }, time.Minute, time.Millisecond)
}

// TestWorkOfWhoIsKilled: a follower whose connection breaks has left.
func TestWorkOfWhoIsKilled(t *testing.T) {
	t.Parallel()
	s, at := onShift(t, 0)
	b := request(1)
	_, err := command(t, at).Submit(t.Context(), b)
	require.NoError(t, err)
	ask, kill := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ask, http.MethodPost, s.server.URL+"/tripod/v1/"+project+"/batches/follow", strings.NewReader(`{"batch_id":"`+b.BatchID+`","follower":"me"}`))
	require.NoError(t, err)
	gone := make(chan error)
	transport := &http.Transport{}
	go func() {
		resp, err := transport.RoundTrip(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		gone <- err
	}()
	<-s.begun
	kill()
	require.Error(t, <-gone)
	c := command(t, at)
	require.Eventually(t, func() bool { return states(t, c, b.BatchID)[installer.Pending] == 1 }, time.Minute, time.Millisecond)
}

func TestWorkStopsAtItsLimit(t *testing.T) {
	t.Parallel()
	s, at := onShift(t, 0)
	close(s.letGo)
	c := command(t, at)
	b := request(5)
	for i := range b.Hosts {
		b.Hosts[i].Host.Name = "bad"
	}
	how, err := follow(t, c, b).Work(t.Context(), control.Work{Parallel: 1, MaxFailures: 2}, ignored)
	require.NoError(t, err)
	assert.Equal(t, control.Worked{LimitReached: true}, how)
	assert.Equal(t, map[installer.State]int{installer.Failed: 2, installer.Pending: 3}, states(t, c, b.BatchID))
}

// TestWorkWaitsForTheHost: a batch is not over because another one has its host.
func TestWorkWaitsForTheHost(t *testing.T) {
	t.Parallel()
	s, at := onShift(t, 0)
	c := command(t, at)
	one, two := request(1), request(1)
	first := inBackground(t.Context(), follow(t, c, one), control.Work{})
	<-s.begun
	second := inBackground(t.Context(), follow(t, command(t, at), two), control.Work{})
	joined(t, s, 2)
	close(s.letGo)
	_, err := first()
	require.NoError(t, err)
	_, err = second()
	require.NoError(t, err)
	assert.Equal(t, 1, states(t, c, two.BatchID)[installer.Succeeded])
}

// TestWorkHasRoomForAll: all batches together have so many workers, each at least one.
func TestWorkHasRoomForAll(t *testing.T) {
	t.Parallel()
	s, at := onShift(t, 3)
	c := command(t, at)
	one, two := request(10), request(10)
	for i := range two.Hosts {
		h := &two.Hosts[i].Host
		h.Address = "10.2.0." + h.Address[len("10.1.0."):]
		h.ID = installer.InstanceID(project, h.Address, 22)
	}
	first := inBackground(t.Context(), follow(t, c, one), control.Work{})
	for range 3 {
		<-s.begun
	}
	second := inBackground(t.Context(), follow(t, command(t, at), two), control.Work{})
	<-s.begun
	close(s.letGo)
	_, err := first()
	require.NoError(t, err)
	_, err = second()
	require.NoError(t, err)
	assert.Equal(t, int64(4), s.most.Load())
}

// TestWorkGoesOnWithTheNext: the process that worked ends, and another one takes its
// folder: who follows does not notice.
func TestWorkGoesOnWithTheNext(t *testing.T) {
	t.Parallel()
	s, at := onShift(t, 0)
	c := command(t, at)
	b := request(2)
	work := inBackground(t.Context(), follow(t, c, b), control.Work{})
	<-s.begun
	<-s.begun
	s.end(t)
	next := newShift(t, s.store.Dir(), 0)
	close(next.letGo)
	at.Store(next)
	how, err := work()
	require.NoError(t, err)
	assert.Equal(t, control.Worked{}, how)
	assert.Equal(t, 2, states(t, c, b.BatchID)[installer.Succeeded])
}

// TestWorkOfADaemon: it does everything by itself, and is only followed.
func TestWorkOfADaemon(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	assert.True(t, r.client.Daemon())
	b := request(2)
	f := follow(t, r.client, b)
	work := inBackground(t.Context(), f, control.Work{Parallel: 5})
	r.work(b.BatchID, 0, r.hub.Watch)
	how, err := work()
	require.NoError(t, err)
	assert.Equal(t, control.Worked{Daemon: true}, how)
}

// brokenQueue is a store of which nothing can be taken.
type brokenQueue struct{ *store.Store }

func (brokenQueue) Claim(context.Context, time.Time, installer.ClaimFilter) (*installer.Invocation, time.Time, error) {
	return nil, time.Time{}, fmt.Errorf("%w: %w", installer.ErrStorage, syscall.ENOSPC)
}

// TestWorkThatCannotGoOn tells each follower why, once: the next command tries again.
func TestWorkThatCannotGoOn(t *testing.T) {
	t.Parallel()
	s, at := onShift(t, 0)
	usual := s.Dispatcher
	s.OnDemand.Dispatcher = func(c engine.Config) *engine.Dispatcher {
		c.Queue = brokenQueue{s.store}
		return engine.New(c)
	}
	c := command(t, at)
	b := request(1)
	_, err := follow(t, c, b).Work(t.Context(), control.Work{}, ignored)
	require.EqualError(t, err, "claim the next invocation: storage error: no space left on device")
	require.ErrorIs(t, err, installer.ErrStorage)
	require.ErrorIs(t, err, syscall.ENOSPC)
	s.OnDemand.Dispatcher = usual
	close(s.letGo)
	_, err = followAgain(t, c, b.BatchID).Work(t.Context(), control.Work{}, ignored)
	require.NoError(t, err)
}
