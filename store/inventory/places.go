package inventory

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// The same address and port are the same host, whichever id it was given, unless a user gave several
// hosts with one address ids of their own: then the jump hosts on the way tell them apart.

func placeKey(project string, h installer.Host) []byte { return kv.Join(project, h.HostPort(), h.ID) }

// HostAt implements installer.Ledger.
func (s *Inventory) HostAt(ctx context.Context, project string, at installer.Host) (installer.Host, error) {
	return kv.Read(ctx, s, func(t *Tx) (host installer.Host, err error) {
		k := t.hostAt(project, at)
		if k == nil {
			return host, kv.NotFound("host", at.HostPort())
		}
		return k.Host, nil
	})
}

func (t *Tx) hostAt(project string, at installer.Host) *knownHost {
	var found []*knownHost
	for key := range t.All(TPlaces, kv.Join(project, at.HostPort())) {
		k := t.findHost(project, kv.Last(key))
		if k.Host.SameMachine(at) {
			return k
		}
		found = append(found, k)
	}
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

// IDNow implements installer.Ledger.
func (s *Inventory) IDNow(ctx context.Context, project string, h installer.Host) (string, error) {
	return kv.Read(ctx, s, func(t *Tx) (string, error) { return t.IDNow(project, h), nil })
}

func (t *Tx) IDNow(project string, h installer.Host) string {
	if t.findHost(project, h.ID) == nil {
		if k := t.hostAt(project, h); k != nil {
			return k.Host.ID
		}
	}
	return h.ID
}

// A machine that is reached by another way than before is the same one if it shows the host key that is
// pinned. Its logins stay bound to their way: see Host.SameRoute.

// SameMachine implements installer.Ledger.
func (s *Inventory) SameMachine(ctx context.Context, project string, a, b installer.Host) (installer.Sameness, error) {
	return kv.Read(ctx, s, func(t *Tx) (installer.Sameness, error) {
		switch {
		case t.shareRoute(project, a, b):
			return installer.SameRoute, nil
		case t.sameMachine(project, a, b):
			return installer.SameHostKey, nil
		}
		return installer.OtherMachine, nil
	})
}

func (t *Tx) shareRoute(project string, a, b installer.Host) bool {
	if a.SameMachine(b) || a.HostPort() != b.HostPort() || a.RouteChoice == nil && b.RouteChoice == nil {
		return a.SameMachine(b)
	}
	routesB := t.routesTo(project, b)
	return slices.ContainsFunc(t.routesTo(project, a), func(one []installer.Endpoint) bool {
		return slices.ContainsFunc(routesB, func(other []installer.Endpoint) bool { return installer.SameHops(one, other) })
	})
}

// sameMachine: where the user has pinned a host key, that of the other one is the same.
func (t *Tx) sameMachine(project string, a, b installer.Host) bool {
	return a.SameMachine(b) || a.HostPort() == b.HostPort() && a.HostKey == b.HostKey && (a.HostKey != "" || len(t.pins(project, a.HostPort())) > 0)
}

// WorkedOn reports whether r was done on the machine that h is. Where no host key was
// checked, those that were seen before tell nothing of the machine at hand.
func (t *Tx) WorkedOn(h installer.Host, r *tasks.Record) bool {
	return h.SameMachine(r.Host) || r.Spec.HostKeys != installer.Insecure && t.sameMachine(r.ProjectID, h, r.Host)
}

// OneMachine reports whether two tasks have worked on the same machine. Of another
// project it is known by the way to it, or by a host key that both have pinned.
func (t *Tx) OneMachine(a, b *tasks.Record) bool {
	if a.ProjectID == b.ProjectID {
		return t.WorkedOn(a.Host, b) && t.WorkedOn(b.Host, a)
	}
	return a.Host.SameMachine(b.Host) || slices.ContainsFunc(t.pins(a.ProjectID, a.Host.HostPort()), func(key string) bool {
		return slices.Contains(t.pins(b.ProjectID, b.Host.HostPort()), key)
	})
}

func (t *Tx) pins(project, hostPort string) (keys []string) {
	for k := range t.All(TPins, kv.Join(project, hostPort)) {
		keys = append(keys, kv.Last(k))
	}
	return keys
}

// PinnedKeys implements installer.HostKeys.
func (s *Inventory) PinnedKeys(ctx context.Context, project, hostPort string) ([]string, error) {
	return kv.Read(ctx, s, func(t *Tx) ([]string, error) { return t.pins(project, hostPort), nil })
}

const longestHostPort = 512

// PinKey implements installer.HostKeys. A key that is pinned already costs no
// write.
func (s *Inventory) PinKey(ctx context.Context, project, hostPort, key string) error {
	if err := errors.Join(kv.CheckProject(project), kv.CheckPart("host and port", hostPort, longestHostPort), kv.CheckPart("host key", key, 16<<10)); err != nil {
		return err
	}
	at := binary.BigEndian.AppendUint64(nil, kv.Micros(s.Clock()))
	return s.Update(ctx, func(t *Tx) error {
		if k := kv.Join(project, hostPort, key); t.Get(TPins, k) == nil {
			t.Put(TPins, k, at)
		}
		return nil
	})
}

// ForgetKeys implements installer.HostKeys.
func (s *Inventory) ForgetKeys(ctx context.Context, project, hostPort string) (n int, err error) {
	err = s.Update(ctx, func(t *Tx) error {
		if n = t.DelAll(TPins, t.All(TPins, kv.Join(project, hostPort))); n == 0 {
			return nil
		}
		return s.audit(ctx, t, installer.AuditEntry{Project: project, Action: installer.AuditHostKey, Subject: hostPort})
	})
	return n, err
}
