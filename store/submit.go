package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tripod/installer"
	"tripod/store/kv"
)

// Submit implements installer.Ledger. The caller gives the ids; what is left
// out of an item (batch, project, state, times, run id) is filled in from the
// batch. ErrExists if an id is taken, installer.ErrKeyTaken if its
// Idempotency-Key is, installer.ErrFull if there is too much open work, installer.ErrUnderWay or
// installer.ErrOvertaken if a RETRY or ROLLBACK may not be; a fault in the batch is an error that is not
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
		if rows[i], err = r.row(); err != nil {
			return err
		}
	}
	sealed, err := s.sealBatch(records, b.Items)
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
		s.abandon(err, sealed...)
	}
	return err
}

func (s *Store) recordsOf(b installer.Batch) ([]*record, error) {
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
	records := make([]*record, len(b.Items))
	for i := range b.Items {
		records[i] = &record{Invocation: b.Items[i].Invocation}
		if err := records[i].complete(b.BatchHead, created); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return records, nil
}

// complete fills in and checks one new invocation.
func (r *record) complete(b installer.BatchHead, created time.Time) error {
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

func (t *tx) submit(b installer.Batch, keep retention, records []*record, rows, sealed [][]byte, now time.Time) error {
	if t.Get(bHeads, []byte(b.ID)) != nil {
		return fmt.Errorf("batch %s: %w", b.ID, ErrExists)
	}
	if err := t.alone(records); err != nil {
		return err
	}
	if err := t.current(records); err != nil {
		return err
	}
	seq := t.Sequence(bInv)
	if b.Replay != nil {
		if err := t.addReplay(b.ProjectID, *b.Replay, now, seq+1); err != nil {
			return err
		}
	}
	t.SetSequence(bInv, seq+uint64(len(records)))

	var count stateCounts
	for i, r := range records {
		if t.Get(bInv, []byte(r.ID)) != nil {
			return fmt.Errorf("invocation %s: %w", r.ID, ErrExists)
		}
		seq++
		r.seq = seq
		count[0]++
		t.Put(bInv, []byte(r.ID), kv.SealRow(rows[i], seq))
		t.Put(bList, r.listKey(), r.facts())
		t.Put(bHostList, kv.Stamped(r.hostKey(), r.Created, seq), nil)
		t.Put(bBatList, kv.Stamped(kv.Join(b.ID), r.Created, seq), nil)
		t.enqueue(r)
		var box []byte
		if sealed != nil {
			box = sealed[i]
		}
		if err := t.registerHost(r, box); err != nil {
			return err
		}
	}
	t.addHead(b.BatchHead, keep, records[0], count)
	t.addOpen(len(records))
	if sealed != nil {
		t.PutRow(bKept, []byte(b.ID), seq, keptUntil{})
	}
	return nil
}
