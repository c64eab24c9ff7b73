// Package looks has the daemon look at known hosts by itself, so that what it says of their agents is
// not as old as their last tasks. A look is a check without a task: it is in no list, and of its result
// only what it tells of the agent is kept.
package looks

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"tripod/installer"
	"tripod/installer/plan"
)

// Store is what looks need of the state folder.
type Store interface {
	// LookHosts are the hosts with a kept login that has not been rejected.
	LookHosts(ctx context.Context) ([]installer.LookHost, error)
	// WorkWaits reports whether a task could begin now.
	WorkWaits(ctx context.Context, now time.Time) (bool, error)
	// BeginLook writes the look into the audit log, unless its host has open work: then it is false.
	BeginLook(ctx context.Context, inv *installer.Invocation) (bool, error)
	// EndLook keeps what the look has found, unless a task has begun or looked meanwhile.
	EndLook(ctx context.Context, inv *installer.Invocation, t installer.Transition) error
}

// Config configures a Queue; all of it is required.
type Config struct {
	Store Store
	Plan  func(context.Context, plan.Request) (*plan.Plan, error)
	NewID func() string
	// HostKeys is the weakest that a look may have.
	HostKeys installer.HostKeyPolicy
	Every    time.Duration // each host is looked at once in so long
	Clock    func() time.Time
}

// Queue gives an engine.Dispatcher one host after the other, each at its own time within Every.
type Queue struct {
	Config
	started time.Time
	batch   string // one for all looks, so that a login that hosts refuse is tried on few of them

	mu       sync.Mutex
	due      []dueHost       // in the order of their times
	readNext time.Time       // when the hosts are read again
	underWay map[string]look // by the id of the invocation
	begun    map[string]int  // by project: which look its last one was
	last     int
}

type look struct {
	inv   installer.Invocation
	creds installer.Credentials
}

type dueHost struct {
	installer.LookHost
	at time.Time
}

// New returns a Queue. What was due before it was made is looked at in the next turn, so that a start
// does not bring all hosts at once.
func New(c Config) *Queue {
	return &Queue{Config: c, started: c.Clock(), batch: c.NewID(), underWay: map[string]look{}, begun: map[string]int{}}
}

const (
	pause       = 10 * time.Second // while tasks wait, or nothing can be stored
	mostBackoff = 24 * time.Hour
)

// dueAt is a host's next time: its turn comes once in Every, at a moment that depends on its id only,
// so that it is the same after a restart. Who does not answer is left out for 1, 3, 7 … turns, and who
// was looked at in the half before is left out once.
func (q *Queue) dueAt(h installer.LookHost) time.Time {
	backoff := time.Duration(0)
	if h.Failed > 0 {
		backoff = min(q.Every<<min(h.Failed, 10)-q.Every, max(q.Every, mostBackoff))
	}
	from := q.started
	if seen := h.Seen.Add(q.Every/2 + backoff); !h.Seen.IsZero() && seen.After(from) {
		from = seen
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(h.Project + "/" + h.ID))
	turn := from.Truncate(q.Every).Add(time.Duration(sum.Sum64() % uint64(q.Every)))
	if turn.Before(from) {
		turn = turn.Add(q.Every)
	}
	return turn
}

func (q *Queue) read(ctx context.Context, now time.Time) error {
	hosts, err := q.Store.LookHosts(ctx)
	if err != nil {
		return err
	}
	q.due = q.due[:0]
	for _, h := range hosts {
		q.due = append(q.due, dueHost{h, q.dueAt(h)})
	}
	slices.SortFunc(q.due, func(a, b dueHost) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.ID, b.ID)) })
	q.readNext = now.Add(min(max(q.Every/16, time.Second), 10*time.Minute))
	return nil
}

// Claim implements engine.Queue.
func (q *Queue) Claim(
	ctx context.Context, now time.Time, _ installer.ClaimFilter,
) (*installer.Invocation, time.Time, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !now.Before(q.readNext) {
		if err := q.read(ctx, now); err != nil {
			return nil, time.Time{}, err
		}
	}
	for len(q.due) > 0 && !q.due[0].at.After(now) {
		if waits, err := q.Store.WorkWaits(ctx, now); err != nil || waits {
			return nil, now.Add(pause), err
		}
		h := q.take(now)
		inv, err := q.begin(ctx, now, h.LookHost)
		if errors.Is(err, installer.ErrStorage) { // a full disk, say: looks are not worth the daemon's end
			return nil, now.Add(pause), nil
		}
		if err != nil || inv != nil {
			return inv, time.Time{}, err
		}
	}
	if len(q.due) > 0 && q.due[0].at.Before(q.readNext) {
		return nil, q.due[0].at, nil
	}
	return nil, q.readNext, nil
}

// take takes the host that is due of the project whose last look is longest ago, so that one with many
// hosts that take long does not keep the others waiting.
func (q *Queue) take(now time.Time) dueHost {
	first := 0
	for i, h := range q.due {
		if h.at.After(now) {
			break
		}
		if q.begun[h.Project] < q.begun[q.due[first].Project] {
			first = i
		}
	}
	h := q.due[first]
	q.due = slices.Delete(q.due, first, first+1)
	q.last++
	q.begun[h.Project] = q.last
	return h
}

// begin plans a look as a check is planned; nil: there can be none now.
func (q *Queue) begin(ctx context.Context, now time.Time, h installer.LookHost) (*installer.Invocation, error) {
	for _, l := range q.underWay {
		if l.inv.ProjectID == h.Project && l.inv.Host.ID == h.ID {
			return nil, nil
		}
	}
	planned, err := q.Plan(ctx, plan.Request{
		Project: h.Project, Task: installer.Install, Known: []string{h.ID},
		Spec: installer.Spec{Target: installer.TargetTelescope, CheckOnly: true, HostKeys: q.HostKeys},
	})
	if err != nil || planned.Items[0].Standing != plan.New {
		return nil, err
	}
	inv := planned.Items[0].Invocation
	inv.ID = q.NewID()
	inv.RunID, inv.BatchID, inv.ProjectID, inv.Type = inv.ID, q.batch, h.Project, installer.Install
	inv.State, inv.Claim, inv.Created, inv.Updated = installer.Running, 1, now, now
	inv.Attempts = []installer.Attempt{{Number: 1, Started: now}}
	begun, err := q.Store.BeginLook(ctx, &inv)
	if err != nil || !begun {
		return nil, err
	}
	q.underWay[inv.ID] = look{inv, planned.Items[0].Credentials}
	return &inv, nil
}

// Credentials implements engine.Queue.
func (q *Queue) Credentials(_ context.Context, inv *installer.Invocation) (installer.Credentials, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.underWay[inv.ID].creds, nil
}

// Finish implements engine.Queue. A look is one attempt; one that was interrupted has found nothing.
func (q *Queue) Finish(ctx context.Context, ref installer.Ref, t installer.Transition) error {
	q.mu.Lock()
	l, ok := q.underWay[ref.ID]
	q.mu.Unlock()
	if !ok {
		return installer.ErrStale
	}
	if t.EndAttempt {
		if err := q.Store.EndLook(ctx, &l.inv, t); err != nil {
			return err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.underWay, ref.ID)
	return nil
}

// FinishAndClaim implements engine.Queue.
func (q *Queue) FinishAndClaim(
	ctx context.Context, ref installer.Ref, t installer.Transition, now time.Time, f installer.ClaimFilter,
) (*installer.Invocation, time.Time, error) {
	if err := q.Finish(ctx, ref, t); err != nil {
		return nil, time.Time{}, err
	}
	inv, due, err := q.Claim(ctx, now, f)
	if err != nil { // the look has ended all the same, and the next Claim says it again
		return nil, now, nil
	}
	return inv, due, nil
}

// Journal implements engine.Queue. A look that is cut off starts again, so its steps are not stored.
func (q *Queue) Journal(context.Context, installer.Ref, ...installer.StepRecord) error { return nil }

// Orphans implements engine.Queue.
func (q *Queue) Orphans(context.Context) ([]installer.Invocation, error) { return nil, nil }

// OpenLog implements engine.Queue.
func (q *Queue) OpenLog(context.Context, *installer.Invocation) (installer.Log, error) {
	return noLog{}, nil
}

type noLog struct{}

func (noLog) Write(p []byte) (int, error) { return len(p), nil }
func (noLog) Close() error                { return nil }
func (noLog) Position() (int64, error)    { return 0, nil }
func (noLog) Rewind(int64) error          { return nil }
