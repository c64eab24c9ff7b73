package inventory

import (
	"context"
	"slices"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// A machine that is reached by another way than before (a project gets its first
// installer, or another one) is the same one: it has to show the host key that is
// pinned, whichever way leads there. Nothing is taken for known before any way was
// gone. Its logins stay bound to their way: see Host.SameWay.

// SameMachine implements installer.Ledger.
func (s *Inventory) SameMachine(ctx context.Context, project string, a, b installer.Host) (same installer.Sameness, err error) {
	err = s.View(ctx, func(t *Tx) error {
		shared, err := t.shareRoute(project, a, b)
		switch {
		case shared:
			same = installer.SameRoute
		case t.sameMachine(project, a, b):
			same = installer.SameHostKey
		}
		return err
	})
	return same, err
}

// shareRoute reports whether one way to the first host is one to the second.
func (t *Tx) shareRoute(project string, a, b installer.Host) (bool, error) {
	if a.SameMachine(b) || a.HostPort() != b.HostPort() || a.Through == nil && b.Through == nil {
		return a.SameMachine(b), nil
	}
	waysA, err := t.waysTo(project, a)
	if err != nil {
		return false, err
	}
	waysB, err := t.waysTo(project, b)
	return slices.ContainsFunc(waysA, func(one []installer.Endpoint) bool {
		return slices.ContainsFunc(waysB, func(other []installer.Endpoint) bool { return installer.SameHops(one, other) })
	}), err
}

// waysTo are the hops of each way by which a host is reached now.
func (t *Tx) waysTo(project string, h installer.Host) (hops [][]installer.Endpoint, err error) {
	if h.Through == nil {
		return [][]installer.Endpoint{h.Via}, nil
	}
	f := wayfinder{Tx: t, project: project, left: WaysMost}
	plans, err := f.ways(*h.Through, nil)
	for _, p := range plans {
		if p.fail == nil {
			hops = append(hops, p.hopsTo(h.Endpoint))
		}
	}
	return hops, err
}

// hopsTo are the servers on the way to a host.
func (p wayPlan) hopsTo(host installer.Endpoint) []installer.Endpoint {
	var way installer.Way
	for _, on := range p.through {
		way.Hops = append(append(way.Hops, on.host.Via...), on.host.Endpoint)
	}
	way.Logins = make([]installer.Login, len(way.Hops))
	return way.To(host).Hops
}

// sameMachine: where the user has pinned a host key, that of the other one is the same.
func (t *Tx) sameMachine(project string, a, b installer.Host) bool {
	if a.HostPort() != b.HostPort() || a.HostKey != b.HostKey {
		return a.SameMachine(b)
	}
	return a.SameMachine(b) || a.HostKey != "" || t.isPinned(project, a)
}

// WorkedOn reports whether r was done on the machine that h is. Where no host key was
// checked, those that were seen before tell nothing of the machine at hand.
func (t *Tx) WorkedOn(h installer.Host, r *tasks.Record) bool {
	if r.Spec.HostKeys == installer.Insecure {
		return h.SameMachine(r.Host)
	}
	return t.sameMachine(r.ProjectID, h, r.Host)
}

// isPinned reports whether a host has shown a key, by whatever way.
func (t *Tx) isPinned(project string, h installer.Host) bool {
	for range t.All(TPins, kv.Join(project, h.HostPort())) {
		return true
	}
	return false
}
