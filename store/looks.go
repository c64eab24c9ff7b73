package store

import (
	"bytes"
	"context"
	"time"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// looksAtOnce bounds how many hosts one transaction reads.
const looksAtOnce = 1000

// LookHosts implements looks.Store.
func (s *Store) LookHosts(ctx context.Context) (all []installer.LookHost, err error) {
	for next, more := []byte(nil), true; more && err == nil; {
		err = s.View(ctx, func(t *inventory.Tx) error {
			more = false
			n := 0
			for key := range t.From(inventory.THosts, next) {
				if n++; n > looksAtOnce {
					next, more = bytes.Clone(key), true
					break
				}
				project, _, _ := bytes.Cut(key, []byte{0})
				if h, ok := s.LookHost(t, string(project), kv.Last(key)); ok {
					all = append(all, h)
				}
			}
			return nil
		})
	}
	return all, err
}

// WorkWaits implements looks.Store.
func (s *Store) WorkWaits(ctx context.Context, now time.Time) (bool, error) {
	return kv.Read(ctx, s.Inventory, func(t *inventory.Tx) (bool, error) {
		id, _ := t.Due("", now)
		return id != "", nil
	})
}

// BeginLook implements looks.Store.
func (s *Store) BeginLook(ctx context.Context, inv *installer.Invocation) (begun bool, err error) {
	err = s.Update(ctx, func(t *inventory.Tx) error {
		if begun = len(t.OpenOn(inv.ProjectID, inv.Host.ID)) == 0; !begun {
			return nil
		}
		return s.Append(ctx, t.Tx.Tx, inv.Created, lookEntry(inv, installer.AuditBegin))
	})
	return begun && err == nil, err
}

func lookEntry(inv *installer.Invocation, action installer.Action) installer.AuditEntry {
	return installer.AuditEntry{
		Project: inv.ProjectID, Action: action, By: "daemon", Invocation: inv.ID, Type: inv.Type, Detail: "agent check",
		Hosts: []installer.AuditHost{installer.AuditHostOf(inv.Host)},
	}
}

// EndLook implements looks.Store. That a look went well shows in the time at which its host was
// verified, so the audit log has only the end of one that failed.
func (s *Store) EndLook(ctx context.Context, inv *installer.Invocation, tr installer.Transition) error {
	return s.Update(ctx, func(t *inventory.Tx) error {
		t.NoteLook(&tasks.Record{Invocation: *inv}, tr)
		if tr.State == installer.Succeeded {
			return nil
		}
		e := lookEntry(inv, installer.AuditEnd)
		e.Outcome, e.Kind = installer.Failed, tr.Kind
		return s.Append(ctx, t.Tx.Tx, tr.At, e)
	})
}
