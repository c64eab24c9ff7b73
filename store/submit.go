package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// Submit implements installer.Ledger. The caller gives the ids; what is left
// out of an item (batch, project, state, times, run id) is filled in from the
// batch. ErrExists if an id is taken, installer.ErrKeyTaken if its
// Idempotency-Key is, installer.ErrFull if there is too much open work, installer.ErrUnderWay or
// installer.ErrSuperseded if a RETRY or ROLLBACK may not be; a fault in the batch is an error that is not
// installer.ErrStorage.
func (s *Store) Submit(ctx context.Context, b installer.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	records, err := s.recordsOf(b)
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
	err = s.update(ctx, func(t *tx) error {
		if err := s.full(t, len(records)); err != nil {
			return err
		}
		if err := t.submit(b, s.o.retention(), records, rows, sealed, now); err != nil {
			return err
		}
		return s.auditRequest(ctx, t, now, b.BatchHead, records)
	})
	if err != nil {
		s.Abandon(err, sealed...)
	}
	return err
}

func (s *Store) recordsOf(b installer.Batch) ([]*tasks.Record, error) {
	if err := errors.Join(kv.CheckID("batch", b.ID), kv.CheckProject(b.ProjectID), checkReplay(b.Replay)); err != nil {
		return nil, err
	}
	if len(b.Items) == 0 {
		return nil, errors.New("it has no invocations")
	}
	created := b.Created
	if created.IsZero() {
		created = s.o.Clock()
	}
	records := make([]*tasks.Record, len(b.Items))
	for i := range b.Items {
		records[i] = &tasks.Record{Invocation: b.Items[i].Invocation}
		if err := complete(records[i], b.BatchHead, created); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return records, nil
}

// complete fills in and checks one new invocation.
func complete(r *tasks.Record, b installer.BatchHead, created time.Time) error {
	for _, p := range []struct {
		at   *string
		want string
	}{{&r.BatchID, b.ID}, {&r.ProjectID, b.ProjectID}} {
		if *p.at != "" && *p.at != p.want {
			return fmt.Errorf("it names %q where its batch has %q", *p.at, p.want)
		}
		*p.at = p.want
	}
	if r.Created.IsZero() {
		r.Created = created
	}
	if r.RunID == "" {
		r.RunID = r.ID
	}
	if r.State != "" && r.State != installer.Pending {
		return fmt.Errorf("invocation %s: a new one is PENDING, not %s", r.ID, r.State)
	}
	r.State, r.Updated, r.Claim, r.Crashes, r.AllCrashes, r.Attempts = installer.Pending, r.Created, 0, 0, 0, nil
	types := []installer.Type{installer.Install, installer.Update, installer.Rollback, installer.Retry,
		installer.SetRemoteInstaller, installer.RemoteInstall}
	if !slices.Contains(types, r.Type) {
		return fmt.Errorf("invocation %s: unknown type %q", r.ID, r.Type)
	}
	err := errors.Join(kv.CheckID("invocation", r.ID), kv.CheckPart("instance id", r.Host.ID, 128))
	for _, p := range []string{string(r.Host.Type), r.Spec.Target} {
		if p != "" {
			err = errors.Join(err, kv.CheckPart("instance type or target", p, 64))
		}
	}
	return err
}

func (t *tx) submit(b installer.Batch, keep tasks.Retention, records []*tasks.Record, rows, sealed [][]byte, now time.Time) error {
	if t.Get(tasks.THeads, []byte(b.ID)) != nil {
		return fmt.Errorf("batch %s: %w", b.ID, ErrExists)
	}
	if err := t.alone(records); err != nil {
		return err
	}
	if err := t.current(records); err != nil {
		return err
	}
	seq := t.Sequence(tasks.TInv)
	if b.Replay != nil {
		if err := t.addReplay(b.ProjectID, *b.Replay, now, seq+1); err != nil {
			return err
		}
	}
	t.SetSequence(tasks.TInv, seq+uint64(len(records)))

	var count tasks.StateCounts
	for i, r := range records {
		if t.Get(tasks.TInv, []byte(r.ID)) != nil {
			return fmt.Errorf("invocation %s: %w", r.ID, ErrExists)
		}
		seq++
		r.Seq = seq
		count[0]++
		t.Put(tasks.TInv, []byte(r.ID), kv.SealRow(rows[i], seq))
		t.Put(tasks.TList, r.ListKey(), r.Facts())
		t.Put(tasks.THostList, kv.Stamped(r.HostKey(), r.Created, seq), nil)
		t.Put(tasks.TBatList, kv.Stamped(kv.Join(b.ID), r.Created, seq), nil)
		t.Enqueue(r)
		var box []byte
		if sealed != nil {
			box = sealed[i]
		}
		if err := t.RegisterHost(r, box); err != nil {
			return err
		}
	}
	t.AddHead(b.BatchHead, keep, records[0], count)
	t.AddOpen(len(records))
	if sealed != nil {
		t.PutRow(tasks.TKept, []byte(b.ID), seq, tasks.KeptUntil{})
	}
	return nil
}

// full reports that n more invocations would be too many.
func (s *Store) full(t *tx, n int) error {
	if open := t.Open(); s.o.MaxOpen > 0 && open+n > s.o.MaxOpen {
		return fmt.Errorf("%w: %d tasks have not ended, at most %d may be", installer.ErrFull, open, s.o.MaxOpen)
	}
	return nil
}

// retention is that of the batches which this process stores.
func (o Options) retention() tasks.Retention {
	return tasks.Retention{Succeeded: o.KeepSucceeded, Other: o.KeepOther}
}
