package plan

import (
	"cmp"
	"context"
	"errors"
	"net/netip"

	"tripod/installer"
)

func (q *planning) work() (items []Item, err error) {
	if q.Task == installer.RemoteInstall {
		if q.route, err = q.findRoute(); err != nil {
			return nil, err
		}
	}
	for _, e := range q.Hosts {
		q.taken[e.Host.ID] = true
	}
	add := func(item Item, err error) error {
		err = item.noteRefusal(err)
		items = append(items, item)
		return err
	}
	for _, e := range q.Hosts {
		if err := add(q.described(e)); err != nil {
			return nil, err
		}
	}
	for _, id := range q.Known {
		if err := add(q.known(id)); err != nil {
			return nil, err
		}
	}
	err = q.fillSpecs(items, q.Task, q.Spec)
	for i := range items {
		q.configure(&items[i])
	}
	refuseSharedIDs(items)
	return items, err
}

// known plans a host that the project knows. Another project's host is as unknown as
// one that never was. The item has the id that was asked for in any case.
func (q *planning) known(id string) (item Item, err error) {
	host := &item.Invocation.Host
	*host, err = q.Store.KnownHost(q.ctx, q.Project, id)
	if errors.Is(err, installer.ErrNotFound) {
		item.Where, host.ID = id, id
		return item, refuse(UnknownHost, "no such instance in this project")
	}
	if err == nil {
		err = q.denied(*host)
	}
	if err == nil {
		item.Credentials, err = q.keptLogin(*host)
	}
	if err == nil {
		item.Credentials, err = q.complete(host, item.Credentials)
	}
	if err == nil {
		item.Credentials.Agent, err = q.ownKeys(*host, installer.AgentKeys{})
	}
	if err == nil {
		err = q.addVars(&item, *host, nil)
	}
	return item, err
}

func (q *planning) described(e installer.HostEntry) (Item, error) {
	item := Item{Where: e.Where, kept: e.Credentials.Login.IsZero(), Invocation: installer.Invocation{Host: e.Host}}
	host := &item.Invocation.Host
	host.ID = cmp.Or(host.ID, installer.InstanceID(q.Project, host.Address, host.Port))
	var hops []installer.Login
	var noRoute error
	if q.Task == installer.RemoteInstall {
		hops, noRoute = q.route.to(host)
	}
	item.given = allGiven(e.Credentials, *host)
	to, err := q.adopt(host)
	if err != nil {
		return item, err
	}
	host.Name, host.Type = cmp.Or(host.Name, host.Address), cmp.Or(host.Type, installer.ECS)
	host.DeriveIPs()
	creds, noLogin := q.login(to, e)
	switch {
	case q.Task == installer.RemoteInstall:
		creds.Via = hops
	case noLogin == nil:
		creds, noLogin = q.complete(host, creds)
	}
	creds.Agent, err = q.ownKeys(to, e.Credentials.Agent)
	item.given = item.given && creds.Agent == e.Credentials.Agent
	item.Credentials = creds
	if err == nil {
		err = q.addVars(&item, to, e.Credentials.Vars)
	}
	if err != nil {
		return item, err
	}
	return item, cmp.Or(q.denied(*host), noRoute, noLogin)
}

// adopt takes over what is known of a host at its address, its id too unless the request
// gives one. It returns where what is kept for it would be sent: the jump hosts on the
// way are as good as those before.
func (q *planning) adopt(host *installer.Host) (to installer.Host, err error) {
	known, err := q.Store.HostAt(q.ctx, q.Project, *host)
	switch {
	case errors.Is(err, installer.ErrNotFound):
		return *host, nil
	case err != nil:
		return *host, err
	}
	derived := host.ID == installer.InstanceID(q.Project, host.Address, host.Port)
	if known.ID != host.ID && (!derived || q.taken[known.ID]) {
		return *host, nil
	}
	same, err := q.Store.SameMachine(q.ctx, q.Project, known, *host)
	if err != nil {
		return *host, err
	}
	q.taken[known.ID] = true
	host.KnownAs(known)
	host.Name = cmp.Or(host.Name, known.Name)
	to = *host
	if same == installer.SameRoute {
		to.Via, to.RouteChoice = known.Via, known.RouteChoice
		to.TakePins(known)
		host.HostKey = to.HostKey
	}
	return to, nil
}

// denied asks the target policy about the host's address, and about the one that is
// dialled first on the way there.
func (p *Planner) denied(h installer.Host) error {
	addresses := []string{h.Address}
	if len(h.Via) > 0 {
		addresses = append(addresses, h.Via[0].Address)
	}
	for _, address := range addresses {
		if addr, err := netip.ParseAddr(address); err == nil {
			if err := p.Policy(addr); err != nil {
				return refuse(PolicyDenied, string(installer.KindPolicyDenied)+": "+err.Error())
			}
		}
	}
	return nil
}

// noteDenied puts what the policy refused into the audit log, all in one entry.
func (p *Planner) noteDenied(ctx context.Context, plan *Plan) error {
	var hosts []installer.AuditHost
	why := ""
	for _, item := range plan.Items {
		if item.Refused != nil && item.Refused.Reason == PolicyDenied {
			hosts = append(hosts, installer.AuditHostOf(item.Invocation.Host))
			why = cmp.Or(why, item.Refused.Msg)
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	return p.Store.NoteDenied(ctx, plan.Project, plan.Task, hosts, why)
}
