package inventory

import (
	"context"
	"slices"
	"time"

	"tripod/installer"
	"tripod/store/tasks"
)

// note puts entries into the audit log.
func (s *Inventory) note(ctx context.Context, t *Tx, at time.Time, entries ...installer.AuditEntry) error {
	return s.Note(ctx, t.Tx.Tx, at, entries...)
}

// auditManaged notes what was done to known hosts.
func (s *Inventory) auditManaged(ctx context.Context, t *Tx, project string, action installer.Action, hosts []installer.Host) error {
	var entries []installer.AuditEntry
	for some := range slices.Chunk(hosts, hostsMost) {
		e := installer.AuditEntry{Project: project, Action: action}
		for _, h := range some {
			e.Hosts = append(e.Hosts, installer.AuditHostOf(h))
		}
		entries = append(entries, e)
	}
	return s.note(ctx, t, s.Clock(), entries...)
}

// auditRefresh notes that open work was given other credentials.
func (s *Inventory) auditRefresh(ctx context.Context, t *Tx, at time.Time, batchID string, records []*tasks.Record) error {
	var entries []installer.AuditEntry
	for some := range slices.Chunk(records, hostsMost) {
		e := installer.AuditEntry{Project: some[0].ProjectID, Action: installer.AuditCredentials, Batch: batchID}
		for _, r := range some {
			e.Hosts = append(e.Hosts, installer.AuditHostOf(r.Host))
		}
		entries = append(entries, e)
	}
	return s.note(ctx, t, at, entries...)
}

// hostsMost is how many hosts one entry names.
const hostsMost = 100
