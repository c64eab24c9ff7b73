package inventory

import (
	"context"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// A machine that is reached by another way than before (a project gets its first
// installer, or another one) is the same one: it has to show the host key that is
// pinned, whichever way leads there. Nothing is taken for known before any way was
// gone. Its logins stay bound to their way: see Host.SameWay.

// SameMachine implements installer.Ledger.
func (s *Inventory) SameMachine(ctx context.Context, project string, a, b installer.Host) (same bool, err error) {
	err = s.View(ctx, func(t *Tx) error {
		same = t.sameMachine(project, a, b)
		return nil
	})
	return same, err
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
