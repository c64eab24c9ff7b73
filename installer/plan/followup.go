package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"tripod/installer"
)

// followUps makes a RETRY or ROLLBACK of each invocation that is named, at most one
// about the same original. Of what a person names each host counts where it stands
// now, so that a second request neither doubles what goes on nor repeats what is done.
func (q *planning) followUps() ([]Item, error) {
	named, err := q.named()
	if err != nil {
		return nil, err
	}
	var items []Item
	taken := map[string]bool{} // first invocations of a chain
	for _, item := range named {
		var err error
		id, runID := item.Invocation.ID, cmp.Or(item.Invocation.RunID, item.Invocation.ID)
		switch {
		case item.Refused != nil:
		case q.Interactive:
			if taken[runID] { // an invocation, and a RETRY of it
				continue
			}
			taken[runID] = true
			err = q.latest(&item)
		default:
			if err = q.followUp(&item); err == nil && taken[item.origin] {
				err = refuse(UnderWay, "another item of this request is about the same original")
			}
			taken[item.origin] = true
		}
		if err := item.noteRefusal(err); err != nil {
			return nil, err
		}
		if item.Refused != nil && !q.Interactive {
			item.Invocation.ID = id
		}
		items = append(items, item)
	}
	refuseSharedIDs(items)
	return items, nil
}

// named are the invocations whose ids are given; to a person also those of batches,
// which come first.
func (q *planning) named() ([]Item, error) {
	var ofBatches, single []Item
	var faults installer.Faults
	for _, id := range q.Of {
		if q.Interactive {
			switch _, err := q.Store.Batch(q.ctx, q.Project, id); {
			case err == nil:
				page, err := q.Store.Invocations(q.ctx, installer.Filter{ProjectID: q.Project, BatchID: id})
				if err != nil {
					return nil, err
				}
				for _, inv := range slices.Backward(page.Invocations) { // they come newest first
					ofBatches = append(ofBatches, Item{Invocation: inv})
				}
				continue
			case !errors.Is(err, installer.ErrNotFound):
				return nil, err
			}
		}
		inv, err := q.Store.Invocation(q.ctx, q.Project, id)
		switch {
		case err != nil && !errors.Is(err, installer.ErrNotFound):
			return nil, err
		case err == nil && (q.Interactive || inv.InAPI()):
			single = append(single, Item{Invocation: inv, Alone: true})
		case q.Interactive:
			faults.Add(id, "not found: no batch, invocation or host of this project has this id")
		default:
			single = append(single, Item{Invocation: installer.Invocation{ID: id}, Refused: refuse(UnknownInvocation, "no such invocation in this project")})
		}
	}
	return append(ofBatches, single...), faults.Err()
}

// latest makes item what there is to do about its invocation, or the newest RETRY of it.
func (q *planning) latest(item *Item) error {
	inv := &item.Invocation
	named := inv.ID
	if inv.State.Bad() {
		if err := q.newestRetry(inv); err != nil {
			return err
		}
	}
	open := inv
	if q.Task == installer.Rollback {
		var err error
		if _, open, err = q.Store.FollowUp(q.ctx, q.Task, inv); err != nil && !errors.Is(err, installer.ErrSuperseded) {
			return err
		}
		if open != nil && open.Task() != installer.Rollback {
			open = nil
		}
	}
	why := installer.Allow(q.Task, inv)
	switch {
	case open != nil && !open.State.Terminal():
		item.Standing, item.Invocation = Open, *open
		e, _ := q.entryOf(open.Host)
		item.Credentials = e.Credentials
		item.given = allGiven(item.Credentials, open.Host)
		if e.Where != "" && !reflect.DeepEqual(q.redescribe(*open, e), *open) {
			q.note("%s is being worked on already: of %s only the login is used", open.Host.Label(), e.Where)
		}
		return nil
	case why == nil:
		return q.followUp(item)
	case q.Task == installer.Rollback && inv.State == installer.Rollbacked,
		q.Task == installer.Retry && !inv.State.Bad() && (!item.Alone || inv.ID != named):
		item.Standing = Done
		return nil
	}
	item.Failed = inv.State.Bad()
	return refuse(NotAllowed, why.Error())
}

// newestRetry replaces inv by the newest RETRY of it, if there is one.
func (q *planning) newestRetry(inv *installer.Invocation) error {
	now, err := q.Store.IDNow(q.ctx, q.Project, inv.Host)
	if err != nil {
		return err
	}
	for _, id := range []string{now, inv.Host.ID} {
		page, err := q.Store.Invocations(q.ctx, installer.Filter{ProjectID: q.Project, InstanceID: id})
		if err != nil {
			return err
		}
		for _, other := range page.Invocations { // newest first
			if other.RunID == inv.RunID {
				*inv = other
				return nil
			}
		}
	}
	return nil
}

func (q *planning) followUp(item *Item) error {
	old := item.Invocation
	item.Invocation = installer.Invocation{Host: old.Host}
	if why := installer.Allow(q.Task, &old); why != nil {
		return refuse(NotAllowed, why.Error())
	}
	origin, open, err := q.Store.FollowUp(q.ctx, q.Task, &old)
	if errors.Is(err, installer.ErrSuperseded) {
		item.Failed = true
		return refuse(NotAllowed, err.Error())
	}
	if err != nil {
		return err
	}
	if open != nil {
		return refuse(UnderWay, "a "+string(open.Type)+" of it is under way already: "+open.ID)
	}
	if old.Host.ID, err = q.Store.IDNow(q.ctx, q.Project, old.Host); err != nil {
		return err
	}
	host := old.Host
	e, given := q.entryOf(host)
	creds := e.Credentials
	item.given = given && allGiven(creds, host)
	if !given {
		if host, creds, err = q.knownNow(&old); err != nil {
			return err
		}
	}
	if err := q.denied(host); err != nil {
		return err
	}
	if creds, err = q.complete(&host, creds); err != nil {
		return err
	}
	inv, err := q.remake(&old)
	if err != nil {
		return err
	}
	inv.Host = host
	if len(old.Host.Vars) > 0 {
		inv.Host.Vars = old.Host.Vars
	}
	inv = q.redescribe(inv, e)
	if err = q.besideLogin(item, &creds, e.Credentials, &inv, &old); err != nil {
		return err
	}
	if inv.Spec.HostKeys.WeakerThan(q.HostKeys) { // the daemon's rules have become stricter
		inv.Spec.HostKeys = q.HostKeys
	}
	item.Invocation, item.Credentials, item.origin = inv, creds, origin
	return nil
}

// knownNow is the host of old as it is known by its id now, with the login that old came
// with, or a better one that is known since. Where that id is another machine now,
// nothing is done there.
func (q *planning) knownNow(old *installer.Invocation) (installer.Host, installer.Credentials, error) {
	host, creds, err := q.Store.CredentialsAgain(q.ctx, old)
	switch {
	case errors.Is(err, installer.ErrNotFound):
		return host, creds, refuse(UnknownHost, "no such instance in this project")
	case err != nil && !credentialMissing(err):
		return host, creds, err
	}
	same, err := q.Store.SameMachine(q.ctx, q.Project, host, old.Host)
	// Where no host key was checked, one that is pinned tells nothing of that machine.
	if err == nil && (same == installer.OtherMachine || same == installer.SameHostKey && old.Spec.HostKeys == installer.Insecure) {
		err = refuse(NotAllowed, "the instance is another machine now: "+host.HostPort()+via(host, installer.Endpoint.HostPort)+
			"; it was "+old.Host.HostPort()+via(old.Host, installer.Endpoint.HostPort))
	}
	return host, creds, err
}

// remake is the new invocation. What failed for want of a package looks for one again.
func (q *planning) remake(old *installer.Invocation) (installer.Invocation, error) {
	if q.Task == installer.Rollback {
		return installer.RollbackOf(old), nil
	}
	inv := installer.RetryOf(old)
	spec := inv.Spec
	spec.Packages = nil
	if old.Kind != installer.KindPackageMissing || !needsPackage(inv.Task(), spec) {
		return inv, nil
	}
	items := []Item{{Invocation: inv}}
	if err := q.fillSpecs(items, inv.Task(), spec); err != nil {
		return inv, err
	}
	if items[0].Refused != nil {
		return inv, items[0].Refused
	}
	if found := items[0].Invocation.Spec; len(found.Packages) > 0 {
		inv.Spec = found
	}
	return inv, nil
}

// entryOf is what the request brings for a host of an invocation that is there, zero if nothing:
// the entry of a host that it names, if that is reached in the same way. ok: that has a login.
func (q *planning) entryOf(h installer.Host) (e installer.HostEntry, ok bool) {
	if q.ForAll != nil {
		at := q.ForAll.Host
		sameVia := slices.EqualFunc(at.Via, h.Via, func(a, b installer.Endpoint) bool { return a.HostPort() == b.HostPort() && a.User == b.User })
		if sameVia && (at.User == "" || at.User == h.User) {
			return installer.HostEntry{Host: installer.Host{Become: at.Become}, Credentials: q.ForAll.Credentials}, true
		}
		q.note("%s is reached as %s in the batch, not as --user and --via say: the login of the flags is not used", h.Label(), h.User+via(h, userAt))
		return e, false
	}
	if q.byID == nil {
		q.byID = make(map[string]installer.HostEntry, len(q.Hosts))
		for _, e := range q.Hosts {
			q.byID[e.Host.ID] = e
		}
	}
	e, ok = q.byID[h.ID]
	if !ok { // it is known by another id than the one that the file leads to
		e, ok = q.byID[installer.InstanceID(q.Project, h.Address, h.Port)]
	}
	if !ok {
		return e, false
	}
	if e.Host.TakePins(h); !e.Host.SameRoute(h) {
		if len(e.Credentials.Secrets()) > 0 || len(e.Host.Vars) > 0 || agentOf(e.Host) != nil {
			q.note("%s leads to %s, or there in another way, and the batch to %s: it is not used", e.Where, userAt(e.Host.Endpoint), userAt(h.Endpoint))
		}
		return installer.HostEntry{}, false
	}
	return e, !e.Credentials.Login.IsZero()
}

// redescribe gives a RETRY what the request says of its host, over what the task has: variables of a
// script one by one, the agent's configuration field by field. A ROLLBACK needs only the way to root.
func (q *planning) redescribe(inv installer.Invocation, e installer.HostEntry) installer.Invocation {
	given, h := e.Host, &inv.Host
	h.Become = cmp.Or(given.Become, h.Become)
	if q.Task == installer.Rollback {
		return inv
	}
	given.KnownAs(*h)
	h.Name, h.Type, h.Labels, h.Agent = cmp.Or(given.Name, h.Name), given.Type, given.Labels, given.Agent
	h.IntranetIPs, h.ElasticIPs = given.IntranetIPs, given.ElasticIPs
	if len(e.Host.Vars) > 0 {
		vars := map[string]string{}
		maps.Copy(vars, h.Vars)
		maps.Copy(vars, e.Host.Vars)
		h.Vars = vars
	}
	if configures(inv.Task(), inv.Spec) {
		inv.Spec.Agent = agentOf(e.Host).Or(inv.Spec.Agent)
	}
	return inv
}

// agentOf is what a host's own fields and labels say of its agent's configuration; nil: nothing.
func agentOf(h installer.Host) *installer.AgentConfig {
	return h.Agent.Or(installer.AgentConfigOf(h.Labels))
}

func (q *planning) note(format string, args ...any) {
	q.notes = append(q.notes, fmt.Sprintf(format, args...))
}

func userAt(e installer.Endpoint) string { return e.User + "@" + e.HostPort() }

// via says how a host is reached, each hop by its name; empty: directly.
func via(h installer.Host, name func(installer.Endpoint) string) (words string) {
	for _, hop := range h.Via {
		words += " via " + name(hop)
	}
	if h.RouteChoice != nil {
		words += " through jump hosts"
	}
	return words
}
