package plan

import (
	"errors"
	"fmt"
	"slices"

	"tripod/installer"
)

// latest makes a RETRY or ROLLBACK of what a person names: of each host where it
// stands now. An invocation that was tried again counts as its latest RETRY, so that a
// second request neither doubles one that goes on nor repeats one that is done.
func (q *planning) latest() ([]Item, error) {
	named, err := q.byName()
	if err != nil {
		return nil, err
	}
	var items []Item
	seen := map[string]bool{}
	for _, n := range named {
		if q.Task == installer.Retry && seen[n.Invocation.RunID] { // an invocation, and a RETRY of it
			continue
		}
		seen[n.Invocation.RunID] = true
		item, err := q.standing(n)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// byName are the invocations of the batches that are named, and those that are named
// by their own ids; each once.
func (q *planning) byName() ([]Item, error) {
	var all, alone []Item
	var faults installer.Faults
	for _, id := range q.Of {
		_, err := q.Ledger.Batch(q.ctx, q.Project, id)
		switch {
		case err == nil:
			page, err := q.Ledger.Invocations(q.ctx, installer.Filter{ProjectID: q.Project, BatchID: id})
			if err != nil {
				return nil, err
			}
			for _, inv := range slices.Backward(page.Invocations) { // they come newest first
				all = append(all, Item{Invocation: inv})
			}
		case !errors.Is(err, installer.ErrNotFound):
			return nil, err
		default:
			inv, err := q.Ledger.Invocation(q.ctx, q.Project, id)
			if errors.Is(err, installer.ErrNotFound) {
				faults.Add(id, "not found: no batch or invocation of this project has this id")
				continue
			}
			if err != nil {
				return nil, err
			}
			alone = append(alone, Item{Invocation: inv, Alone: true})
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(append(all, alone...), func(i Item) bool {
		twice := seen[i.Invocation.ID]
		seen[i.Invocation.ID] = true
		return twice
	}), faults.Err()
}

// standing finds out what there is to do about one of them.
func (q *planning) standing(n Item) (Item, error) {
	item := n
	inv := &item.Invocation
	failed := inv.State.Terminal() && inv.State != installer.Succeeded && inv.State != installer.Rollbacked
	if failed {
		if err := q.latestRetry(inv); err != nil {
			return item, err
		}
		failed = inv.State.Terminal() && inv.State != installer.Succeeded && inv.State != installer.Rollbacked
	}
	open := inv
	if q.Task == installer.Rollback {
		_, under, err := q.Ledger.FollowUp(q.ctx, q.Task, inv)
		if err != nil && !errors.Is(err, installer.ErrOvertaken) {
			return item, err
		}
		if open = under; under != nil && under.Task() != installer.Rollback {
			open = nil
		}
	}
	why := installer.Allow(q.Task, inv)
	switch {
	case open != nil && !open.State.Terminal():
		item.Standing, item.Invocation = Open, *open
		item.Credentials, _ = q.given(open.Host)
	case why == nil:
		return q.followUpOf(item)
	case q.Task == installer.Rollback && inv.State == installer.Rollbacked,
		q.Task == installer.Retry && !failed && !(n.Alone && inv.ID == n.Invocation.ID): // that one never failed
		item.Standing = Done
	default:
		item.Refused = refuse(NotAllowed, why.Error())
		item.Failed = failed
	}
	return item, nil
}

// latestRetry makes inv the newest of its chain of RETRYs.
func (q *planning) latestRetry(inv *installer.Invocation) error {
	page, err := q.Ledger.Invocations(q.ctx, installer.Filter{ProjectID: q.Project, InstanceID: inv.Host.ID})
	for _, other := range page.Invocations { // newest first
		if err == nil && other.RunID == inv.RunID {
			*inv = other
			break
		}
	}
	return err
}

// given is the login that the request brings for a host of an invocation that is
// there: of a host that it names, if that is reached in the same way.
func (q *planning) given(h installer.Host) (installer.Credentials, bool) {
	if q.ForAll != nil {
		at := q.ForAll.Host
		sameVia := slices.EqualFunc(at.Via, h.Via, func(a, b installer.Endpoint) bool { return a.HostPort() == b.HostPort() && a.User == b.User })
		if sameVia && (at.User == "" || at.User == h.User) {
			return q.ForAll.Credentials, true
		}
		q.note("%s is reached as %s in the batch, not as --user and --via say: the login of the flags is not used", h.Label(), reachedAs(h))
		return installer.Credentials{}, false
	}
	if q.byID == nil {
		q.byID = make(map[string]installer.HostEntry, len(q.Hosts))
		for _, e := range q.Hosts {
			q.byID[e.Host.ID] = e
		}
	}
	e, ok := q.byID[h.ID]
	if !ok { // it is known by another id than the one that the file leads to
		e, ok = q.byID[installer.InstanceID(q.Project, h.Address, h.Port)]
	}
	if !ok || e.Credentials.Login.IsZero() {
		return installer.Credentials{}, false
	}
	if e.Host.TakePins(h); !e.Host.SameRoute(h) {
		q.note("%s leads to %s@%s, or there in another way, and the batch to %s@%s: its login is not used",
			e.Where, e.Host.User, e.Host.HostPort(), h.User, h.HostPort())
		return installer.Credentials{}, false
	}
	return e.Credentials, true
}

func (q *planning) note(format string, args ...any) {
	q.notes = append(q.notes, fmt.Sprintf(format, args...))
}

// reachedAs is who is logged in, and over which hops.
func reachedAs(h installer.Host) string {
	as := h.User
	for i, hop := range h.Via {
		if i == 0 {
			as += " via "
		} else {
			as += " → "
		}
		as += hop.User + "@" + hop.HostPort()
	}
	if h.RouteChoice != nil {
		as += " via installers"
	}
	return as
}
