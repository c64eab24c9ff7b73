package store

import (
	"context"
	"time"

	"tripod/installer"
	"tripod/store/tasks"
)

func (s *Store) auditRequest(ctx context.Context, t *tx, at time.Time, head installer.BatchHead, records []*tasks.Record) error {
	var entries []installer.AuditEntry
	for _, r := range records {
		task := ""
		switch {
		case r.Spec.CheckOnly:
			task = "only a look"
		case r.Task() != r.Type:
			task = "of " + string(r.Task())
		}
		last := len(entries) - 1
		if last < 0 || entries[last].Type != r.Type || entries[last].Detail != task {
			entries = append(entries, installer.AuditEntry{
				Project: head.ProjectID, Action: installer.AuditRequest, By: head.By, Batch: head.ID, Type: r.Type, Detail: task,
			})
			last++
		}
		entries[last].Hosts = append(entries[last].Hosts, installer.AuditHostOf(r.Host))
	}
	return s.Append(ctx, t.Tx.Tx.Tx, at, entries...)
}

func (s *Store) auditWork(ctx context.Context, t *tx, at time.Time, r *tasks.Record, e installer.AuditEntry) error {
	e.Project, e.Batch, e.Invocation, e.Type = r.ProjectID, r.BatchID, r.ID, r.Type
	e.Hosts = []installer.AuditHost{installer.AuditHostOf(r.Host)}
	if e.Action == installer.AuditBegin || e.Action == installer.AuditEnd {
		e.By = t.Head(r.BatchID).By
	}
	return s.Append(ctx, t.Tx.Tx.Tx, at, e)
}
