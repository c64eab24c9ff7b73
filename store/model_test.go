package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/storetest"
	"tripod/store/tasks"
)

// modelInv is what the contract says about one invocation, in memory.
type modelInv struct {
	seq         int
	batch, host string
	typ         installer.Type
	of          string
	state       installer.State
	created     time.Time
	notBefore   time.Time
	claim       uint64
	steps       []int // per attempt
	ended       []bool
	crashes     int
	allCrashes  int
	mayRun      bool
	kind        installer.Kind
	cancelAsked bool
	fresh       bool // claimed since the store was opened
}

// model is a queue that is so simple that it must be right.
type model struct {
	t     *testing.T
	dir   string
	s     *Store
	rng   *rand.Rand
	now   time.Time
	invs  map[string]*modelInv
	order []string // as submitted
	batch int
	done  map[string][]string // what changed each host, as it ended
}

func (m *model) open() {
	m.s = openTest(m.t, m.dir, Options{KeepOther: time.Hour, KeepSucceeded: time.Hour})
	m.s.db.NoLinger() // there is no company to wait for
}

func (m *model) pick(keep func(*modelInv) bool) string {
	var ids []string
	for _, id := range m.order {
		if keep(m.invs[id]) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return ids[m.rng.IntN(len(ids))]
}

func (m *model) running(host string) int {
	n := 0
	for _, inv := range m.invs {
		if inv.state == installer.Running && (host == "" || inv.host == host) {
			n++
		}
	}
	return n
}

// undone reports whether a ROLLBACK of it is open, or about to be asked for.
func (m *model) undone(of string, items []installer.Item) bool {
	for _, i := range m.invs {
		if i.of == of && !i.state.Terminal() {
			return true
		}
	}
	return slices.ContainsFunc(items, func(it installer.Item) bool { return it.Invocation.Of == of })
}

// laterChange is the latest change of its host since it that is not undone.
func (m *model) laterChange(id string) string {
	host := m.invs[id].host
	if m.invs[id].typ == installer.Rollback {
		return ""
	}
	for _, other := range slices.Backward(m.done[host]) {
		if other == id {
			break
		}
		if m.invs[other].state == installer.Succeeded {
			return other
		}
	}
	return ""
}

func (m *model) submit() {
	m.batch++
	b := installer.Batch{BatchHead: installer.BatchHead{ID: fmt.Sprintf("B%04d", m.batch), ProjectID: project, Created: m.now}}
	superseded := false
	for n := range 1 + m.rng.IntN(6) {
		host := m.rng.IntN(3)
		it := item(b.ID, n, fmt.Sprintf("h%d", host))
		it.Invocation.Host.Port = uint16(1000 + host)
		if m.rng.IntN(4) == 0 {
			it.Invocation.NotBefore = m.now.Add(time.Duration(m.rng.IntN(50)) * time.Second)
		}
		if of := m.pick(func(i *modelInv) bool { return i.state == installer.Succeeded }); of != "" && m.rng.IntN(3) == 0 && !m.undone(of, b.Items) {
			it.Invocation.Type, it.Invocation.Of = installer.Rollback, of
			superseded = superseded || m.laterChange(of) != ""
		}
		b.Items = append(b.Items, it)
	}
	if superseded {
		require.ErrorIs(m.t, m.s.Submit(m.t.Context(), b), installer.ErrSuperseded)
		m.batch-- // all or nothing
		return
	}
	submit(m.t, m.s, b)
	for _, it := range b.Items {
		i := it.Invocation
		m.invs[i.ID] = &modelInv{
			seq: len(m.order), batch: b.ID, host: i.Host.ID, typ: i.Type, of: i.Of,
			state: installer.Pending, created: m.now, notBefore: i.NotBefore,
		}
		m.order = append(m.order, i.ID)
	}
}

func (m *model) claim() {
	m.claimBy(func(f installer.ClaimFilter) (*installer.Invocation, time.Time, error) {
		return m.s.Claim(m.t.Context(), m.now, f)
	})
}

func (m *model) claimBy(do func(installer.ClaimFilter) (*installer.Invocation, time.Time, error)) {
	scope := ""
	if m.batch > 0 && m.rng.IntN(2) == 0 {
		scope = fmt.Sprintf("B%04d", 1+m.rng.IntN(m.batch))
	}
	named := "" // one invocation only, perhaps out of its turn
	if m.rng.IntN(5) == 0 {
		scope, named = "", m.pick(func(*modelInv) bool { return true })
	}
	possible := map[string]bool{}
	var soonest time.Time // of those that only wait for the clock
	for id, i := range m.invs {
		if i.state != installer.Pending || scope != "" && i.batch != scope || named != "" && id != named || m.running(i.host) > 0 {
			continue
		}
		if !i.notBefore.After(m.now) {
			possible[id] = true
		} else if soonest.IsZero() || i.notBefore.Before(soonest) {
			soonest = i.notBefore
		}
	}
	inv, wake, err := do(installer.ClaimFilter{BatchID: scope, InvocationID: named})
	require.NoError(m.t, err)
	if len(possible) == 0 {
		require.Nil(m.t, inv, "nothing was claimable")
		if !soonest.IsZero() {
			require.False(m.t, wake.IsZero(), "something waits for the clock")
			require.False(m.t, wake.After(soonest), "woken too late")
			require.True(m.t, wake.After(m.now), "woken for nothing at once: that would spin")
		}
		return
	}
	require.NotNil(m.t, inv, "claimable and not claimed: %v", possible)
	require.True(m.t, possible[inv.ID], "%s was not claimable", inv.ID)
	i := m.invs[inv.ID]
	if n := len(i.ended); n == 0 || i.ended[n-1] {
		i.steps, i.ended = append(i.steps, 0), append(i.ended, false)
	}
	i.state, i.claim, i.fresh, i.notBefore = installer.Running, i.claim+1, true, time.Time{}
	m.compare(*inv)
}

func (m *model) journal() {
	id := m.pick(func(i *modelInv) bool { return i.state == installer.Running })
	if id == "" {
		return
	}
	i := m.invs[id]
	rec := installer.StepRecord{Step: installer.StepRun, Note: fmt.Sprint(len(i.steps))}
	require.NoError(m.t, m.s.Journal(m.t.Context(), installer.Ref{ID: id, Claim: i.claim}, rec))
	i.steps[len(i.steps)-1]++
	i.crashes = 0
	err := m.s.Journal(m.t.Context(), installer.Ref{ID: id, Claim: i.claim - 1}, rec)
	require.ErrorIs(m.t, err, installer.ErrStale)
}

func (m *model) finish(id string, crashed bool) {
	i := m.invs[id]
	tr := installer.Transition{State: installer.Pending, At: m.now, EndAttempt: m.rng.IntN(2) == 0, Crashed: crashed}
	ends := []installer.State{installer.Pending, installer.Succeeded, installer.Failed, installer.Timeout, installer.Canceled}
	if !crashed {
		tr.State = ends[m.rng.IntN(len(ends))]
	}
	if tr.State == installer.Pending && m.rng.IntN(3) > 0 {
		tr.NotBefore = m.now.Add(time.Duration(m.rng.IntN(40)) * time.Second)
	}
	if tr.State == installer.Failed {
		tr.Kind = installer.KindScriptFailed
	}
	if tr.State == installer.Pending && tr.EndAttempt {
		tr.Kind = installer.KindLostContact
	}
	tr.MayRun = m.rng.IntN(4) == 0
	ref := installer.Ref{ID: id, Claim: i.claim}
	if alone := crashed || m.rng.IntN(2) == 0; alone {
		require.NoError(m.t, m.s.Finish(m.t.Context(), ref, tr))
	} else {
		defer m.claimBy(func(f installer.ClaimFilter) (*installer.Invocation, time.Time, error) {
			return m.s.FinishAndClaim(m.t.Context(), ref, tr, m.now, f)
		})
	}
	if tr.EndAttempt || tr.State.Terminal() {
		i.ended[len(i.ended)-1], i.kind, i.mayRun = true, tr.Kind, tr.MayRun
	}
	if crashed {
		i.crashes++
		i.allCrashes++
	}
	if tr.State == installer.Succeeded && i.typ != installer.Rollback {
		m.done[i.host] = append(m.done[i.host], id)
	}
	i.state, i.notBefore = tr.State, tr.NotBefore
	if undone := m.invs[i.of]; tr.State == installer.Succeeded && i.typ == installer.Rollback && undone.state == installer.Succeeded {
		undone.state = installer.Rollbacked
	}
}

func (m *model) cancel() {
	id := m.pick(func(*modelInv) bool { return true })
	if id == "" {
		return
	}
	i := m.invs[id]
	open, err := m.s.Cancel(m.t.Context(), project, id)
	require.NoError(m.t, err)
	require.Equal(m.t, !i.state.Terminal(), open)
	begun := len(i.ended) > 0 && !i.ended[len(i.ended)-1]
	switch {
	case i.state.Terminal():
	case i.state == installer.Running:
		i.cancelAsked = true
	case begun || i.mayRun || i.kind == installer.KindLostContact:
		i.cancelAsked, i.notBefore = true, time.Time{}
	default:
		i.state, i.notBefore, i.kind = installer.Canceled, time.Time{}, installer.KindCanceled
	}
}

// reopen is a restart: what was RUNNING is an orphan, all else as it was.
func (m *model) reopen() {
	require.NoError(m.t, m.s.Close())
	m.open()
	var want []string
	for id, i := range m.invs {
		i.fresh = false
		if i.state == installer.Running {
			want = append(want, id)
		}
	}
	orphans, err := m.s.Orphans(m.t.Context())
	require.NoError(m.t, err)
	var got []string
	for _, o := range orphans {
		m.compare(o)
		got = append(got, o.ID)
	}
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(m.t, want, got)
	for _, id := range got {
		m.finish(id, true)
	}
}

func (m *model) compare(inv installer.Invocation) {
	i := m.invs[inv.ID]
	require.NotNil(m.t, i)
	require.Equal(m.t, i.state, inv.State, inv.ID)
	require.Equal(m.t, i.claim, inv.Claim, inv.ID)
	require.Equal(m.t, i.crashes, inv.Crashes, inv.ID)
	require.Equal(m.t, i.allCrashes, inv.AllCrashes, inv.ID)
	require.Equal(m.t, i.mayRun, inv.MayRun, inv.ID)
	if i.typ != installer.Rollback && i.state == installer.Succeeded {
		_, open, err := m.s.FollowUp(m.t.Context(), installer.Rollback, &inv)
		require.Equal(m.t, open == nil && m.laterChange(inv.ID) != "", errors.Is(err, installer.ErrSuperseded), inv.ID)
	}
	require.Equal(m.t, i.kind, inv.Kind, inv.ID)
	require.Equal(m.t, i.cancelAsked, inv.CancelAsked, inv.ID)
	require.True(m.t, i.notBefore.Equal(inv.NotBefore), "%s: %v, %v", inv.ID, i.notBefore, inv.NotBefore)
	require.Len(m.t, inv.Attempts, len(i.steps), inv.ID)
	for n, a := range inv.Attempts {
		require.Len(m.t, a.Steps, i.steps[n], inv.ID)
		require.Equal(m.t, i.ended[n], !a.Ended.IsZero(), inv.ID)
	}
}

// check compares everything: nothing lost, nothing doubled, counts right.
func (m *model) check() {
	ctx := m.t.Context()
	page, err := m.s.Invocations(ctx, installer.Filter{ProjectID: project})
	require.NoError(m.t, err)
	require.Len(m.t, page.Invocations, len(m.order))
	require.EqualValues(m.t, len(m.order), page.Count)
	heads := map[string]map[installer.State]int{}
	busy := map[string]bool{}
	for n, inv := range page.Invocations {
		require.Equal(m.t, m.order[len(m.order)-1-n], inv.ID, "newest first")
		m.compare(inv)
		if heads[inv.BatchID] == nil {
			heads[inv.BatchID] = map[installer.State]int{}
		}
		heads[inv.BatchID][inv.State]++
		if inv.State == installer.Running {
			require.False(m.t, busy[inv.Host.ID], "two on one host")
			busy[inv.Host.ID] = true
		}
	}
	for id, want := range heads {
		h, err := m.s.Batch(ctx, project, id)
		require.NoError(m.t, err)
		require.Equal(m.t, want, h.ByState, id)
		require.Equal(m.t, want[installer.Pending]+want[installer.Running], h.Open, id)
	}
	for _, s := range []installer.State{
		installer.Pending, installer.Running, installer.Succeeded, installer.Failed, installer.Timeout, installer.Canceled, installer.Rollbacked,
	} {
		page, err := m.s.Invocations(ctx, installer.Filter{ProjectID: project, State: s, InstanceID: "h1", Limit: 1})
		require.NoError(m.t, err)
		var want int64
		for _, i := range m.invs {
			if i.state == s && i.host == "h1" {
				want++
			}
		}
		require.Equal(m.t, want, page.Count)
	}
	m.checkIndexes(len(busy))
}

// checkIndexes looks at the tables themselves: each PENDING invocation is in
// the ready index twice or on one wait list, and nobody else is.
func (m *model) checkIndexes(busy int) {
	require.NoError(m.t, m.s.View(m.t.Context(), func(t *inventory.Tx) error {
		places := map[string]int{}
		for _, id := range t.All(tasks.TReady, nil) {
			places[string(id)]++
		}
		for k, id := range t.All(tasks.TWaiting, nil) {
			places[string(id)] += 2
			require.True(m.t, bytes.HasPrefix(k, kv.Join(project, m.invs[string(id)].host)))
		}
		for id, i := range m.invs {
			want := 0
			if i.state == installer.Pending {
				want = 2
			}
			require.Equal(m.t, want, places[id], "%s is %s", id, i.state)
			delete(places, id)
		}
		require.Empty(m.t, places)
		for _, b := range []kv.Table{tasks.TBusy, tasks.TActive} {
			n := 0
			for range t.All(b, nil) {
				n++
			}
			require.Equal(m.t, busy, n)
		}
		return nil
	}))
}

// drain ends everything: each invocation reaches a terminal state (P2).
func (m *model) drain() {
	for rounds := 0; ; rounds++ {
		require.Less(m.t, rounds, 10_000)
		for {
			id := m.pick(func(i *modelInv) bool { return i.state == installer.Running })
			if id == "" {
				break
			}
			m.finish(id, false)
		}
		m.now = m.now.Add(time.Minute)
		m.claim()
		if m.pick(func(i *modelInv) bool { return !i.state.Terminal() }) == "" {
			return
		}
	}
}

func runModel(t *testing.T, seed uint64, steps int) {
	m := &model{
		t: t, dir: filepath.Join(storetest.Dir(t), "state"), now: t0,
		rng: rand.New(rand.NewPCG(seed, 1)), invs: map[string]*modelInv{}, done: map[string][]string{},
	}
	m.open()
	for range steps {
		switch n := m.rng.IntN(100); {
		case n < 15:
			m.submit()
		case n < 50:
			m.claim()
		case n < 62:
			m.journal()
		case n < 82:
			if id := m.pick(func(i *modelInv) bool { return i.state == installer.Running }); id != "" {
				m.finish(id, false)
			}
		case n < 90:
			m.cancel()
		case n < 97:
			m.now = m.now.Add(time.Duration(m.rng.IntN(20)) * time.Second)
		case n < 98:
			m.reopen()
		default:
			m.check()
		}
	}
	m.check()
	m.drain()
	m.check()
}

func TestQueueBehavesLikeTheModel(t *testing.T) {
	t.Parallel()
	for seed := range 12 / sshtest.EveryNth() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			runModel(t, uint64(seed), 300)
		})
	}
}

func FuzzQueueBehavesLikeTheModel(f *testing.F) {
	f.Add(uint64(1), uint16(60))
	f.Add(uint64(77), uint16(120))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) { runModel(t, seed, int(steps%400)) })
}
