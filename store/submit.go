package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// Submit implements installer.Ledger. The caller gives the ids; what is left
// out of an item (batch, project, state, times, run id) is filled in from the
// batch. installer.ErrExists if an id is taken, installer.ErrKeyTaken if its
// Idempotency-Key is, installer.ErrFull if there is too much open work, installer.ErrUnderWay if a batch
// with its fingerprint is open; that or installer.ErrSuperseded if a RETRY or ROLLBACK may not be; a fault
// in the batch is an error that is not installer.ErrStorage.
func (s *Store) Submit(ctx context.Context, b installer.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	records, err := recordsOf(b, s.o.Clock())
	if err != nil {
		return fmt.Errorf("batch %s: %w", b.ID, err)
	}
	// Rows and seals are made before the transaction: others wait for it.
	rows := make([][]byte, len(records))
	for i, r := range records {
		if rows[i], err = r.Row(); err != nil {
			return err
		}
	}
	sealed, err := s.SealBatch(records, b.Items)
	if err != nil {
		return err
	}
	now := s.o.Clock()
	if b.By == "" {
		b.By = installer.ActorOf(ctx)
	}
	err = s.Update(ctx, func(t *inventory.Tx) error {
		if open := t.Open(); s.o.MaxOpen > 0 && open+len(records) > s.o.MaxOpen {
			return fmt.Errorf("%w: %d tasks have not ended, at most %d may be", installer.ErrFull, open, s.o.MaxOpen)
		}
		keep := tasks.Retention{Succeeded: s.o.KeepSucceeded, Other: s.o.KeepOther}
		if err := addBatch(t, b, keep, records, rows, sealed, now); err != nil {
			return err
		}
		return s.auditRequest(ctx, t, now, b.BatchHead, records)
	})
	if err != nil {
		s.Abandon(err, sealed...)
	}
	return err
}

func (s *Store) auditRequest(ctx context.Context, t *inventory.Tx, at time.Time,
	head installer.BatchHead, records []*tasks.Record) error {
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
	return s.Append(ctx, t.Tx.Tx, at, entries...)
}

func recordsOf(b installer.Batch, now time.Time) ([]*tasks.Record, error) {
	err := errors.Join(kv.CheckID("batch", b.ID), kv.CheckProject(b.ProjectID))
	if b.Replay != nil {
		err = errors.Join(err, kv.CheckPart("Idempotency-Key", b.Replay.Key, 255))
	}
	if len(b.Items) == 0 {
		err = errors.Join(err, errors.New("it has no invocations"))
	}
	if b.Created.IsZero() {
		b.Created = now
	}
	records := make([]*tasks.Record, len(b.Items))
	for i := range b.Items {
		records[i] = &tasks.Record{Invocation: b.Items[i].Invocation}
		if wrong := complete(records[i], b.BatchHead); wrong != nil {
			return nil, errors.Join(err, fmt.Errorf("item %d: invocation %s: %w", i, records[i].ID, wrong))
		}
	}
	return records, err
}

var submittable = []installer.Type{
	installer.Install, installer.Update, installer.Rollback, installer.Retry, installer.SetRemoteInstaller, installer.RemoteInstall,
	installer.Uninstall, installer.Configure,
}

func complete(r *tasks.Record, b installer.BatchHead) error {
	r.BatchID, r.ProjectID, r.State = cmp.Or(r.BatchID, b.ID), cmp.Or(r.ProjectID, b.ProjectID), cmp.Or(r.State, installer.Pending)
	r.RunID = cmp.Or(r.RunID, r.ID)
	if r.Created.IsZero() {
		r.Created = b.Created
	}
	r.Updated, r.Claim, r.Crashes, r.AllCrashes, r.Attempts = r.Created, 0, 0, 0, nil
	err := errors.Join(kv.CheckID("invocation", r.ID), kv.CheckPart("instance id", r.Host.ID, 128))
	for _, p := range []string{string(r.Host.Type), r.Spec.Target} {
		if p != "" {
			err = errors.Join(err, kv.CheckPart("instance type or target", p, 64))
		}
	}
	switch {
	case r.BatchID != b.ID || r.ProjectID != b.ProjectID:
		err = fmt.Errorf("it names batch %q of project %q, and is in %q of %q", r.BatchID, r.ProjectID, b.ID, b.ProjectID)
	case r.State != installer.Pending:
		err = fmt.Errorf("a new one is PENDING, not %s", r.State)
	case !slices.Contains(submittable, r.Type):
		err = fmt.Errorf("unknown type %q", r.Type)
	}
	return err
}

func addBatch(t *inventory.Tx, b installer.Batch, keep tasks.Retention,
	records []*tasks.Record, rows, sealed [][]byte, now time.Time) error {
	if t.Get(tasks.THeads, []byte(b.ID)) != nil {
		return fmt.Errorf("batch %s: %w", b.ID, installer.ErrExists)
	}
	if b.Fingerprint != "" {
		if h := openBatch(t, b.ProjectID, b.Fingerprint); h != nil {
			return fmt.Errorf("batch %s is the same work: %w", h.ID, installer.ErrUnderWay)
		}
	}
	for _, r := range records {
		r.Seq = 0 // of a try before this one
	}
	if err := checkFollowUps(t, records); err != nil {
		return err
	}
	seq := t.Sequence(tasks.TInv)
	if b.Replay != nil {
		if err := addReplay(t, b.ProjectID, *b.Replay, now); err != nil {
			return err
		}
	}
	t.SetSequence(tasks.TInv, seq+uint64(len(records)))
	for i, r := range records {
		if t.Get(tasks.TInv, []byte(r.ID)) != nil {
			return fmt.Errorf("invocation %s: %w", r.ID, installer.ErrExists)
		}
		seq++
		r.Seq = seq
		t.Put(tasks.TInv, []byte(r.ID), kv.SealRow(rows[i], seq))
		t.Put(tasks.TList, r.ListKey(), r.Facts())
		t.Put(tasks.THostList, kv.Stamped(r.HostKey(), r.Created, seq), nil)
		t.Put(tasks.TBatList, kv.Stamped(kv.Join(b.ID), r.Created, seq), nil)
		t.Enqueue(r)
		var login []byte
		if sealed != nil {
			login = sealed[i]
		}
		t.RegisterHost(r, login)
	}
	t.AddHead(b.BatchHead, keep, records[0], len(records))
	if sealed != nil {
		t.Keep(b.ID)
	}
	return nil
}

// FollowUp implements installer.Ledger.
func (s *Store) FollowUp(ctx context.Context, task installer.Type, inv *installer.Invocation) (origin string, open *installer.Invocation, err error) {
	err = s.View(ctx, func(t *inventory.Tx) error {
		r, err := t.LoadIn(inv.ProjectID, inv.ID)
		if err != nil {
			return err
		}
		origin = originOf(t, r)
		if other := openAbout(t, r, origin); other != nil {
			open = &other.Invocation
			return nil
		}
		next := installer.RetryOf(&r.Invocation)
		if task == installer.Rollback {
			next = installer.RollbackOf(&r.Invocation)
		}
		return checkSuperseded(t, &tasks.Record{Invocation: next})
	})
	return origin, open, err
}

// checkFollowUps refuses a second RETRY or ROLLBACK about one original while the first
// one is open, however they came: two requests at the same time, or one that names it
// twice; by its own id, or by that of a RETRY of it. And what is superseded.
func checkFollowUps(t *inventory.Tx, records []*tasks.Record) error {
	asked := map[string]bool{}
	for _, r := range records {
		if r.Of == "" {
			continue
		}
		origin := originOf(t, r)
		if asked[origin] || openAbout(t, r, origin) != nil {
			return fmt.Errorf("%s of %s: %w", r.Type, r.Of, installer.ErrUnderWay)
		}
		asked[origin] = true
		if err := checkSuperseded(t, r); err != nil {
			return err
		}
	}
	return nil
}

func originOf(t *inventory.Tx, r *tasks.Record) string {
	for r.Of != "" {
		of := t.LoadAbout(r)
		if of == nil {
			return r.Of
		}
		r = of
	}
	return r.ID
}

// openAbout finds the open invocation on r's host that is about that origin too;
// nil: there is none.
func openAbout(t *inventory.Tx, r *tasks.Record, origin string) *tasks.Record {
	for _, id := range t.OpenOn(r.ProjectID, t.IDNow(r.ProjectID, r.Host)) {
		if other := t.Listed(id); other.Of != "" && originOf(t, other) == origin {
			return other
		}
	}
	return nil
}
