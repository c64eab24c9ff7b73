package looks_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/engine"
	"tripod/installer/looks"
	"tripod/installer/plan"
)

const every = time.Hour

// inventory is a store of known hosts, and the hosts.
type inventory struct {
	mu      sync.Mutex
	hosts   map[string]*installer.LookHost
	dead    map[string]bool
	busy    map[string]bool // with open work
	waits   bool            // a task is ready
	full    bool            // the disk
	looked  map[string][]time.Time
	now     int // looks under way
	most    int
	takes   time.Duration
	slow    map[string]time.Duration // by project, in its place
	planned int
}

func newInventory(n int) *inventory {
	inv := &inventory{
		hosts: map[string]*installer.LookHost{}, dead: map[string]bool{}, busy: map[string]bool{},
		looked: map[string][]time.Time{}, takes: 5 * time.Second,
	}
	for i := range n {
		id := fmt.Sprintf("i-%d", i)
		inv.hosts[id] = &installer.LookHost{Project: "p", ID: id}
	}
	return inv
}

func (s *inventory) LookHosts(context.Context) (all []installer.LookHost, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hosts {
		all = append(all, *h)
	}
	return all, nil
}

func (s *inventory) WorkWaits(context.Context, time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits, nil
}

func (s *inventory) BeginLook(_ context.Context, inv *installer.Invocation) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return false, installer.ErrStorage
	}
	return !s.busy[inv.Host.ID], nil
}

func (s *inventory) EndLook(_ context.Context, inv *installer.Invocation, t installer.Transition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[inv.Host.ID]
	h.Seen, h.Failed = t.At, h.Failed+1
	if t.State == installer.Succeeded {
		h.Failed = 0
	}
	return nil
}

func (s *inventory) Plan(_ context.Context, req plan.Request) (*plan.Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.planned++
	host := installer.Host{ID: req.Known[0]}
	creds := installer.Credentials{Login: installer.Login{Password: installer.NewSecret("of " + host.ID)}}
	return &plan.Plan{Request: req, Items: []plan.Item{
		{Standing: plan.New, Invocation: installer.Invocation{Host: host, Spec: req.Spec}, Credentials: creds},
	}}, nil
}

func (s *inventory) Work(ctx context.Context, job *installer.Job) (outcome installer.Outcome, err error) {
	id := job.Invocation.Host.ID
	s.mu.Lock()
	s.looked[id] = append(s.looked[id], time.Now())
	s.now++
	s.most = max(s.most, s.now)
	if !job.Invocation.Spec.CheckOnly || job.Credentials.Password.Reveal() != "of "+id {
		err = fmt.Errorf("not a look at %s", id)
	}
	if s.dead[id] {
		err = installer.Fail(installer.KindUnreachable, "no route")
	}
	takes := cmp.Or(s.slow[job.Invocation.ProjectID], s.takes)
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
	return outcome, err
}

// looksFor runs a daemon's looks for so long.
func (s *inventory) looksFor(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	ids := 0
	q := looks.New(looks.Config{Store: s, Plan: s.Plan, Every: every, Clock: time.Now, NewID: func() string {
		ids++
		return fmt.Sprint("look-", ids)
	}})
	require.NoError(t, engine.New(engine.Config{
		Queue: q, Worker: s, Parallel: 2, Limits: installer.Limits{Attempt: 24 * time.Hour},
	}).Run(ctx))
}

func (s *inventory) times(id string) int { return len(s.looked[id]) }

// Each host once in the time, spread out over it, few at once.
func TestLooksAreSpreadOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newInventory(300)
		began := time.Now()
		s.looksFor(t, 4*every)
		quarters := map[time.Duration]int{}
		for id, at := range s.looked {
			require.InDelta(t, 4, len(at), 1, id)
			for i := range at[1:] {
				require.InDelta(t, every.Minutes(), at[i+1].Sub(at[i]).Minutes(), 2, id)
			}
			for _, t := range at {
				quarters[t.Sub(began)/(every/4)]++
			}
		}
		assert.Len(t, s.looked, 300)
		for quarter, n := range quarters {
			assert.InDelta(t, 75, n, 25, "in quarter %d", quarter)
		}
		assert.LessOrEqual(t, s.most, 2)
	})
}

// A host that a task has looked at is not looked at again at once; a start brings no rush, and the
// turns are those from before it.
func TestLooksAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newInventory(40)
		s.looksFor(t, 2*every)
		first := s.looked["i-7"][1]
		time.Sleep(10 * every) // it is down
		began := time.Now()
		s.looksFor(t, every/4)
		s.looksFor(t, every-every/4)
		n := 0
		for _, at := range s.looked {
			for _, t := range at {
				if t.After(began.Add(-time.Second)) && t.Before(began.Add(every/8)) {
					n++
				}
			}
		}
		assert.Less(t, n, 15, "in the first eighth")
		again := s.looked["i-7"][2]
		assert.InDelta(t, 0, (again.Sub(first) % every).Minutes(), 2)
		s.hosts["i-7"].Seen = again.Add(every - time.Minute) // by a task
		s.looksFor(t, every)
		assert.Equal(t, 3, s.times("i-7"))
	})
}

func TestDeadHostsAreLookedAtLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newInventory(10)
		s.dead["i-3"] = true
		s.looksFor(t, 32*every)
		assert.InDelta(t, 5, s.times("i-3"), 1, "after 1, 2, 4, 8 and 16 turns")
		assert.InDelta(t, 32, s.times("i-4"), 1)
		s.dead["i-3"] = false
		s.hosts["i-3"].Failed = 0
		s.looksFor(t, 4*every)
		assert.GreaterOrEqual(t, s.times("i-3"), 7)
	})
}

// Tasks go first: those of the host, and all that wait for a worker. A full disk ends looks, not the daemon.
func TestTasksGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newInventory(10)
		s.busy["i-3"], s.waits = true, true
		s.looksFor(t, 2*every)
		assert.Empty(t, s.looked)
		s.waits, s.full = false, true
		s.looksFor(t, 2*every)
		assert.Empty(t, s.looked)
		s.full = false
		s.looksFor(t, 2*every)
		assert.Len(t, s.looked, 9)
		assert.NotContains(t, s.looked, "i-3")
		delete(s.busy, "i-3")
		s.looksFor(t, every)
		assert.Contains(t, s.looked, "i-3")
	})
}

// One project's hosts that do not answer keep no other's waiting for long.
func TestProjectsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newInventory(500)
		s.slow = map[string]time.Duration{"p": 5 * time.Minute}
		for i := range 10 {
			id := fmt.Sprintf("o-%d", i)
			s.hosts[id] = &installer.LookHost{Project: "other", ID: id}
		}
		s.looksFor(t, 8*every)
		for i := range 10 {
			assert.InDelta(t, 8, s.times(fmt.Sprintf("o-%d", i)), 2)
		}
	})
}

// A look that takes longer than all the time has no second one beside it, and one that is cut off by
// the end of the daemon has found nothing.
func TestLooksThatTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newInventory(1)
		s.takes = 10 * time.Hour
		s.looksFor(t, 5*every)
		assert.Equal(t, 1, s.times("i-0"))
		assert.Equal(t, 1, s.most)
		assert.Zero(t, s.hosts["i-0"].Seen)
		assert.Zero(t, s.hosts["i-0"].Failed)
	})
}

// A day without a host, or with ten thousand, does not keep the daemon busy.
func TestLooksSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newInventory(3)
		s.looksFor(t, 24*every)
		assert.Less(t, s.planned, 24*3+3)
		var all []time.Time
		for _, at := range s.looked {
			all = append(all, at...)
		}
		slices.SortFunc(all, time.Time.Compare)
		assert.InDelta(t, 72, len(all), 3)
	})
}
