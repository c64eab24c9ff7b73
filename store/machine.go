package store

import (
	"bytes"
	"context"

	"tripod/installer"
)

// A machine that is reached by another way than before (a project gets its first
// installer, or another one) is the same one if it has shown the same host key there:
// what was verified on it, and what can be undone, stays. Nothing is taken for known
// before it was reached. Its logins stay bound to their way: see Host.SameWay.

// SameMachine implements installer.Ledger.
func (s *Store) SameMachine(ctx context.Context, project string, a, b installer.Host) (same bool, err error) {
	err = s.view(ctx, func(t *tx) error {
		same, err = t.sameMachine(project, a, b)
		return err
	})
	return same, err
}

func (t *tx) sameMachine(project string, a, b installer.Host) (bool, error) {
	if a.SameMachine(b) || a.HostPort() != b.HostPort() {
		return a.SameMachine(b), nil
	}
	keys, err := t.keysSeen(project, a)
	if err != nil || len(keys) == 0 {
		return false, err
	}
	others, err := t.keysSeen(project, b)
	for key := range others {
		if keys[key] {
			return true, err
		}
	}
	return false, err
}

// didWorkOn reports whether r was done on the machine that k is. Where no host key
// is checked, those that were seen before tell nothing of the machine at hand.
func (t *tx) didWorkOn(k *knownHost, r *record) (bool, error) {
	if r.Spec.HostKeys == installer.Insecure {
		return k.Host.SameMachine(r.Host), nil
	}
	return t.sameMachine(r.ProjectID, k.Host, r.Host)
}

// keysSeen are the host keys that were pinned where a host is reached now.
func (t *tx) keysSeen(project string, h installer.Host) (map[string]bool, error) {
	hops := [][]installer.Endpoint{h.Via}
	if h.Through != nil {
		f := wayfinder{tx: t, project: project, left: waysMost}
		plans, err := f.ways(*h.Through, nil)
		if err != nil {
			return nil, err
		}
		hops = nil
		for _, p := range plans {
			if p.fail == nil {
				hops = append(hops, p.hopsTo(h.Endpoint))
			}
		}
	}
	keys := map[string]bool{}
	for _, way := range hops {
		at := join(project, installer.PinPlace(h.Endpoint, way))
		for k := range t.all(bPins, at) {
			keys[string(bytes.TrimSuffix(k[len(at):], []byte{0}))] = true
		}
	}
	return keys, nil
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
