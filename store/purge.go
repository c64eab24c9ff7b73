package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"tripod/installer"
)

// epoch is the life of one key.
type epoch struct {
	ID string `json:"id"`
	// Installer: lives as long as its host is an installer.
	Installer bool `json:"installer,omitempty"`
	// Hosts: lives as long as one of its hosts is known with it.
	Hosts bool `json:"hosts,omitempty"`
	// Ended is when the batch's last invocation ended; zero: it has open ones.
	Ended time.Time `json:"ended,omitzero"`
	// Succeeded: all of them did.
	Succeeded bool `json:"succeeded,omitempty"`
	// Key names the key where it is not the first one; empty: ID does.
	Key string `json:"key,omitempty"`
}

// key is the name of the epoch's key.
func (e epoch) key() string { return cmp.Or(e.Key, e.ID) }

// epoch reads one. One that is not there has ID alone.
func (t *tx) epoch(id string) (epoch, error) {
	e := epoch{ID: id}
	row := t.get(bEpochs, []byte(id))
	if row == nil {
		return e, nil
	}
	_, err := readRow(row, &e)
	return e, err
}

// endBatch notes the end of the batch's epoch once nothing of it is open, and
// returns the epoch then.
func (t *tx) endBatch(batch string, at time.Time) (*epoch, error) {
	count := t.tally(batch)
	if count.open() > 0 {
		return nil, nil
	}
	row := t.get(bEpochs, []byte(batch))
	if row == nil {
		return nil, nil
	}
	var e epoch
	seq, err := readRow(row, &e)
	if err != nil {
		return nil, err
	}
	e.Ended, e.Succeeded = at, count.allSucceeded()
	t.putRow(bEpochs, []byte(batch), seq, e)
	return &e, nil
}

// eraseIfOver forgets at once what is not to be kept. The result is stored
// already, so a failure is left to the next Purge.
func (s *Store) eraseIfOver(ctx context.Context, e *epoch) {
	if e == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	var over bool
	err := s.view(ctx, func(t *tx) (err error) {
		over, err = s.over(t, *e, e.Ended)
		return err
	})
	if err == nil && over {
		err = s.eraseEpoch(ctx, e.ID)
	}
	if err != nil {
		s.o.Logger.Error("credentials not erased yet", "epoch", e.ID, "error", err)
	}
}

// Purge erases the credentials whose time has run out at now, and forgets old
// Idempotency-Keys. Call it from time to time, see NextPurge; Open does it too.
func (s *Store) Purge(ctx context.Context, now time.Time) error {
	var over []string
	err := s.view(ctx, func(t *tx) error {
		over = nil
		return t.epochs(func(e epoch) error {
			gone, err := s.over(t, e, now)
			if gone {
				over = append(over, e.ID)
			}
			return err
		})
	})
	for _, id := range over {
		err = errors.Join(err, s.eraseEpoch(ctx, id))
	}
	return errors.Join(err, s.forgetReplays(ctx, now))
}

// NextPurge is when the time of the first credentials runs out, of batches that
// have ended by now. Zero: there are none.
func (s *Store) NextPurge(ctx context.Context) (time.Time, error) {
	var next time.Time
	err := s.view(ctx, func(t *tx) error {
		next = time.Time{}
		return t.epochs(func(e epoch) error {
			end, err := s.endOf(t, e)
			if err == nil && !end.IsZero() && (next.IsZero() || end.Before(next)) {
				next = end
			}
			return err
		})
	})
	return next, err
}

// epochs walks all of them.
func (t *tx) epochs(do func(epoch) error) error {
	for _, row := range t.all(bEpochs, nil) {
		var e epoch
		if _, err := readRow(row, &e); err != nil {
			return err
		}
		if err := do(e); err != nil {
			return err
		}
	}
	return nil
}

// eraseEpoch destroys the key first: the rows are only tidied away after it,
// and a crash in between is made good by the next Purge.
func (s *Store) eraseEpoch(ctx context.Context, id string) error {
	if s.o.ReadOnly {
		return errReadOnly
	}
	s.roster.Lock() // nobody changes the key meanwhile
	defer s.roster.Unlock()
	var e epoch
	err := s.view(ctx, func(t *tx) (err error) {
		e, err = t.epoch(id)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.keys.erase(e.key()); err != nil {
		return err
	}
	s.o.Logger.Debug("credentials erased", "epoch", id)
	return s.update(ctx, func(t *tx) error {
		t.dropEpoch(id)
		return nil
	})
}

func (t *tx) dropEpoch(id string) {
	var rows [][]byte
	for k := range t.all(bSealed, join(id)) {
		rows = append(rows, bytes.Clone(k))
	}
	for _, k := range rows {
		t.del(bSealed, k)
	}
	t.del(bEpochs, []byte(id))
}

// abandon erases a key that no row needs. After a commit of which nobody
// knows whether it took place, the next Open decides.
func (s *Store) abandon(id string, why error) {
	if errors.Is(why, installer.ErrStorage) && !curable(why) {
		return
	}
	if err := s.keys.erase(id); err != nil {
		s.o.Logger.Error("an unneeded key is not erased yet", "epoch", id, "error", err)
	}
}

// tidyEpochs erases keys that a crash left behind without rows, and what is
// due.
func (s *Store) tidyEpochs(ctx context.Context) error {
	files, leftovers, err := s.keys.files()
	if err != nil {
		return err
	}
	for _, path := range leftovers {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	var unknown []string
	err = s.view(ctx, func(t *tx) error {
		known := map[string]bool{}
		if err := t.epochs(func(e epoch) error { known[e.key()] = true; return nil }); err != nil {
			return err
		}
		unknown = slices.DeleteFunc(files, func(name string) bool { return known[name] })
		return nil
	})
	for _, id := range unknown {
		err = errors.Join(err, s.keys.erase(id))
	}
	return errors.Join(err, s.Purge(ctx, s.o.Clock()))
}
