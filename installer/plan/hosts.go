package plan

import (
	"cmp"
	"errors"

	"tripod/installer"
)

// work makes an invocation of each host of the request.
func (q *planning) work() ([]Item, error) {
	var items []Item
	if q.Task == installer.RemoteInstall {
		var err error
		if q.route, err = q.findRoute(); err != nil {
			return nil, err
		}
	}
	for _, e := range q.Hosts {
		q.taken[e.Host.ID] = true
	}
	for _, e := range q.Hosts {
		item, err := q.named(e)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	for _, id := range q.Known {
		item, err := q.known(id)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, q.fit(items)
}

// known finds a host of the project and how to get in, or why that cannot be.
// Another project's host is as unknown as one that never was. The host has the
// id that was asked for in any case.
func (q *planning) known(id string) (item Item, err error) {
	host := &item.Invocation.Host
	*host, err = q.Ledger.KnownHost(q.ctx, q.Project, id)
	switch {
	case errors.Is(err, installer.ErrNotFound):
		return Item{Where: id, Invocation: installer.Invocation{Host: installer.Host{ID: id}}, Refused: refuse(UnknownHost, "no such instance in this project")}, nil
	case err != nil:
		return item, err
	}
	if item.Refused = q.denied(*host); item.Refused != nil {
		return item, nil
	}
	kept, err := q.kept(*host)
	if err != nil {
		return item, err
	}
	item.Credentials, item.Refused, err = q.complete(host, kept)
	return item, err
}

// named plans a host that the request describes.
func (q *planning) named(e installer.HostEntry) (Item, error) {
	host := e.Host
	host.ID = cmp.Or(host.ID, installer.InstanceID(q.Project, host.Address, host.Port))
	host.Type = cmp.Or(host.Type, installer.ECS) // lists are filtered by it
	var hops []installer.Login
	var noRoute *Refusal
	if q.Task == installer.RemoteInstall {
		hops, noRoute = q.route.to(&host)
	}
	to, err := q.adopt(&host)
	if err != nil {
		return Item{}, err
	}
	host.Name = cmp.Or(host.Name, host.Address)
	host.DeriveIPs()
	creds, noLogin, err := q.login(to, e)
	if q.Task == installer.RemoteInstall {
		creds.Via = hops
	} else if noLogin == nil && err == nil {
		creds, noLogin, err = q.complete(&host, creds)
	}
	return Item{
		Where:       e.Where,
		kept:        e.Credentials.Login.IsZero(),
		Invocation:  installer.Invocation{Host: host},
		Credentials: creds, Refused: cmp.Or(q.denied(host), noRoute, noLogin),
	}, err
}

// adopt takes over what is known of a host at its address, its id too unless the
// request gives one. It returns where what is kept for it would be sent: the
// installers on the way are as good as those before.
func (q *planning) adopt(host *installer.Host) (to installer.Host, err error) {
	known, err := q.Ledger.HostAt(q.ctx, q.Project, *host)
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
	same, err := q.Ledger.SameMachine(q.ctx, q.Project, known, *host)
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
