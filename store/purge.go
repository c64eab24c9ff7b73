package store

import (
	"bytes"
	"context"
	"errors"
	"os"
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
}

// keep is how long the epoch is kept after its end.
func (s *Store) keep(e epoch) time.Duration {
	if e.Succeeded {
		return s.o.KeepSucceeded
	}
	return s.o.KeepOther
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
	if e == nil || s.keep(*e) > 0 {
		return
	}
	if err := s.eraseEpoch(context.WithoutCancel(ctx), e.ID); err != nil {
		s.o.Logger.Error("credentials not erased yet", "epoch", e.ID, "error", err)
	}
}

// Purge erases the credentials whose time has run out at now, and forgets old
// Idempotency-Keys. Call it from time to time; Open does it too.
func (s *Store) Purge(ctx context.Context, now time.Time) error {
	var over []string
	err := s.view(ctx, func(t *tx) error {
		over = nil
		for _, row := range t.all(bEpochs, nil) {
			var e epoch
			if _, err := readRow(row, &e); err != nil {
				return err
			}
			if !e.Installer && !e.Hosts && !e.Ended.IsZero() && !e.Ended.Add(s.keep(e)).After(now) {
				over = append(over, e.ID)
			}
		}
		return nil
	})
	for _, id := range over {
		err = errors.Join(err, s.eraseEpoch(ctx, id))
	}
	return errors.Join(err, s.forgetReplays(ctx, now))
}

// eraseEpoch destroys the key first: the rows are only tidied away after it,
// and a crash in between is made good by the next Purge.
func (s *Store) eraseEpoch(ctx context.Context, id string) error {
	if s.o.ReadOnly {
		return errReadOnly
	}
	if err := s.keys.erase(id); err != nil {
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
		unknown = nil
		for _, id := range files {
			if t.get(bEpochs, []byte(id)) == nil {
				unknown = append(unknown, id)
			}
		}
		return nil
	})
	for _, id := range unknown {
		err = errors.Join(err, s.keys.erase(id))
	}
	return errors.Join(err, s.Purge(ctx, s.o.Clock()))
}
