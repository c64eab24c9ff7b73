package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
)

// A batch has one key for the logins of all its hosts. When one of them is to be
// forgotten before the batch's time is over, the others are sealed anew under
// another key, and the batch's first key is destroyed: what lies in free pages and
// in copies of the database could be opened with it.

// rekeyed is what becomes of one batch's sealed rows.
type rekeyed struct {
	epoch epoch
	from  string            // the name of its key so far
	rows  map[string][]byte // by invocation; nil: it is to go
	stay  int
}

// rekeyBatches makes ready that the hosts' tasks lose their logins. Hold roster.
func (s *Store) rekeyBatches(ctx context.Context, project string, hosts []string, b *hostBoxes) error {
	var batches map[string]map[string]bool // invocations that lose theirs, by batch
	err := s.view(ctx, func(t *tx) error {
		batches = map[string]map[string]bool{}
		for _, host := range hosts {
			for r, err := range t.invocationsOn(project, host) {
				if err != nil {
					return err
				}
				if !t.bringsLogin(r) {
					continue
				}
				if batches[r.BatchID] == nil {
					batches[r.BatchID] = map[string]bool{}
				}
				batches[r.BatchID][r.ID] = true
			}
		}
		return nil
	})
	for id, lose := range batches {
		if err == nil {
			err = s.rekeyBatch(ctx, id, lose, b)
		}
	}
	return err
}

func (s *Store) rekeyBatch(ctx context.Context, id string, lose map[string]bool, b *hostBoxes) error {
	r := rekeyed{}
	places := map[string][]byte{}
	err := s.view(ctx, func(t *tx) (err error) {
		r.rows, r.stay = map[string][]byte{}, 0
		if r.epoch, err = t.epoch(id); err != nil {
			return err
		}
		prefix := join(id)
		for key, row := range t.all(bSealed, prefix) {
			inv := string(bytes.TrimSuffix(key[len(prefix):], []byte{0}))
			if lose[inv] {
				r.rows[inv] = nil
				continue
			}
			of, err := t.load(inv)
			if err != nil {
				return err
			}
			if of == nil {
				return errors.Join(ErrDamaged, notFound("invocation", inv))
			}
			r.rows[inv], places[inv] = bytes.Clone(row), place(id, of.ProjectID, of.Host.ID, inv)
			r.stay++
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.from = r.epoch.key()
	if r.stay > 0 {
		switch old, err := s.keys.key(r.from); {
		case errors.Is(err, fs.ErrNotExist): // they are lost already
			r.stay = 0
		case err != nil:
			return storageError("opening an epoch key", err)
		default:
			err = s.reseal(&r, old, places, b)
			clear(old)
			if err != nil {
				return err
			}
		}
	}
	b.batches = append(b.batches, r)
	return nil
}

// reseal gives the rows that stay another key.
func (s *Store) reseal(r *rekeyed, old []byte, places map[string][]byte, b *hostBoxes) error {
	var name [8]byte
	_, _ = rand.Read(name[:]) // never fails
	r.epoch.Key = "again-" + hex.EncodeToString(name[:])
	key, err := s.keys.create(r.epoch.Key)
	if err != nil {
		return err
	}
	defer clear(key)
	b.keys = append(b.keys, r.epoch.Key)
	for inv, at := range places {
		packed, err := unseal(old, r.rows[inv], at)
		if err != nil {
			return storageError("sealing credentials anew", err)
		}
		r.rows[inv] = seal(key, packed, at)
		clear(packed)
	}
	return nil
}

// putBatches stores what rekeyBatches has made. errMoved if the batch is no longer
// as it was.
func (t *tx) putBatches(batches []rekeyed) error {
	for _, r := range batches {
		row := t.get(bEpochs, []byte(r.epoch.ID))
		if row == nil {
			return errMoved
		}
		var now epoch
		seq, err := readRow(row, &now)
		if err != nil {
			return err
		}
		if now.key() != r.from {
			return errMoved
		}
		if r.stay == 0 {
			t.dropEpoch(now.ID)
			continue
		}
		for inv, box := range r.rows {
			if box == nil {
				t.del(bSealed, join(now.ID, inv))
			} else {
				t.put(bSealed, join(now.ID, inv), box)
			}
		}
		now.Key = r.epoch.Key // it may have ended meanwhile
		t.putRow(bEpochs, []byte(now.ID), seq, now)
	}
	return nil
}

// losers are the hosts of which the plans leave no task a login.
func losers(plans []hostPlan) []string {
	var ids []string
	for i := range plans {
		if plans[i].moves() {
			ids = append(ids, plans[i].host.ID)
		}
		if plans[i].gives != nil {
			ids = append(ids, plans[i].gives.Host.ID)
		}
	}
	return ids
}
