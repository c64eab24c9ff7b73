package plan

import (
	"errors"
	"strings"

	"tripod/installer"
)

// followUps makes one RETRY or ROLLBACK per invocation that is named.
func (q *planning) followUps() ([]Item, error) {
	items := make([]Item, len(q.Of))
	asked := map[string]bool{} // origins
	for i, id := range q.Of {
		item, err := q.followUp(id)
		if err != nil {
			return nil, err
		}
		if item.Refused == nil && asked[item.origin] {
			item.Refused = refuse(UnderWay, "another item of this request is about the same original")
		}
		if item.Refused != nil {
			item.Invocation.ID = id
		} else {
			asked[item.origin] = true
		}
		items[i] = item
	}
	return items, nil
}

// followUp plans a task about an invocation that is there.
func (q *planning) followUp(id string) (item Item, err error) {
	old, err := q.Ledger.Invocation(q.ctx, q.Project, id)
	switch {
	case errors.Is(err, installer.ErrNotFound), err == nil && old.Spec.CheckOnly: // a look is no task of the API
		item.Refused = refuse(UnknownInvocation, "no such invocation in this project")
		return item, nil
	case err != nil:
		return item, err
	}
	item.Invocation = old
	if why := installer.Allow(q.Task, &old); why != nil {
		item.Invocation = installer.Invocation{Host: old.Host}
		item.Refused = refuse(NotAllowed, why.Error())
		return item, nil
	}
	return q.followUpOf(item)
}

// followUpOf makes an item of what may be done about its invocation.
func (q *planning) followUpOf(item Item) (Item, error) {
	old := item.Invocation
	item.Invocation = installer.Invocation{Host: old.Host}
	origin, open, err := q.Ledger.FollowUp(q.ctx, q.Task, &old)
	if errors.Is(err, installer.ErrOvertaken) {
		item.Refused, item.Failed = refuse(NotAllowed, err.Error()), true
		return item, nil
	}
	if err != nil {
		return item, err
	}
	if item.origin = origin; open != nil {
		item.Refused = refuse(UnderWay, "a "+string(open.Type)+" of it is under way already: "+open.ID)
		return item, nil
	}
	host, given := old.Host, false
	if item.Credentials, given = q.given(old.Host); !given {
		if host, item.Refused, err = q.again(&old, &item.Credentials); item.Refused != nil || err != nil {
			return item, err
		}
	}
	if item.Refused = q.denied(host); item.Refused != nil {
		return item, nil
	}
	if item.Credentials, item.Refused, err = q.complete(&host, item.Credentials); item.Refused != nil || err != nil {
		return item, err
	}
	if item.Invocation, item.Refused, err = q.remake(&old); err != nil {
		return item, err
	}
	item.Invocation.Host = host
	if item.Invocation.Spec.HostKeys.WeakerThan(q.HostKeys) { // the daemon's rules have become stricter
		item.Invocation.Spec.HostKeys = q.HostKeys
	}
	return item, nil
}

// again is the host of old as it is known by its id now, with the login that old
// came with, or a better one that is known since. Where that id is another machine
// now, nothing is done there.
func (q *planning) again(old *installer.Invocation, creds *installer.Credentials) (host installer.Host, refused *Refusal, err error) {
	host, *creds, err = q.Ledger.CredentialsAgain(q.ctx, old)
	switch {
	case errors.Is(err, installer.ErrNotFound):
		return old.Host, refuse(UnknownHost, "no such instance in this project"), nil
	case err != nil && !credentialMissing(err):
		return host, nil, err
	}
	same, err := q.Ledger.SameMachine(q.ctx, q.Project, host, old.Host)
	if err != nil {
		return host, nil, err
	}
	// Where no host key was checked, one that is pinned tells nothing of that machine.
	if same == installer.OtherMachine || same == installer.SameHostKey && old.Spec.HostKeys == installer.Insecure {
		return old.Host, refuse(NotAllowed, "the instance is another machine now: "+reached(host)+"; it was "+reached(old.Host)), nil
	}
	return host, nil, nil
}

// remake is the new invocation. What failed for want of a package looks for one anew.
func (q *planning) remake(old *installer.Invocation) (installer.Invocation, *Refusal, error) {
	if q.Task == installer.Rollback {
		return installer.RollbackOf(old), nil, nil
	}
	inv := installer.RetryOf(old)
	spec := inv.Spec
	spec.Packages = nil
	if old.Kind != installer.KindPackageMissing || !chooses(inv.Task(), spec) {
		return inv, nil, nil
	}
	items := []Item{{Invocation: inv}}
	anew := &planning{Planner: q.Planner, ctx: q.ctx, Request: Request{Project: q.Project, Task: inv.Task(), Spec: spec}, fits: map[installer.Edition]fit{}}
	if err := anew.fit(items); err != nil || items[0].Refused != nil {
		return inv, items[0].Refused, err
	}
	if found := items[0].Invocation.Spec; len(found.Packages) > 0 {
		inv.Spec = found
	}
	return inv, nil, nil
}

// reached says what tells one machine from another.
func reached(h installer.Host) string {
	var b strings.Builder
	b.WriteString(h.HostPort())
	for _, hop := range h.Via {
		b.WriteString(" via " + hop.HostPort())
	}
	if h.RouteChoice != nil {
		b.WriteString(" through installers")
	}
	return b.String()
}
