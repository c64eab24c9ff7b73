package store

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// FollowUp implements installer.Ledger.
func (s *Store) FollowUp(ctx context.Context, inv *installer.Invocation) (origin string, open *installer.Invocation, err error) {
	err = s.view(ctx, func(t *tx) error {
		r, err := t.LoadIn(inv.ProjectID, inv.ID)
		if err != nil {
			return err
		}
		if origin, err = t.origin(r, r.Seq); err != nil {
			return err
		}
		if other, err := t.underWay(r, origin); err != nil || other == nil {
			return err
		} else {
			open = &other.Invocation
		}
		return nil
	})
	return origin, open, err
}

// alone refuses a second RETRY or ROLLBACK about one original while the first one
// is open, however they came: two requests at the same time, or one that names it
// twice; by its own id, or by that of a RETRY of it.
func (t *tx) alone(records []*tasks.Record) error {
	asked := map[string]bool{}
	for _, r := range records {
		if r.Of == "" {
			continue
		}
		origin, err := t.origin(r, math.MaxUint64)
		if err != nil {
			return err
		}
		open, err := t.underWay(r, origin)
		if err != nil {
			return err
		}
		if open != nil || asked[origin] {
			return fmt.Errorf("%s of %s: %w", r.Type, r.Of, installer.ErrUnderWay)
		}
		asked[origin] = true
	}
	return nil
}

// origin is the id at the end of the chain of RETRYs and ROLLBACKs. What an
// invocation is about was there before it.
func (t *tx) origin(r *tasks.Record, before uint64) (string, error) {
	id := r.ID
	for r.Of != "" {
		id = r.Of
		of, err := t.Load(id)
		if err != nil {
			return "", err
		}
		if of == nil || of.ProjectID != r.ProjectID || of.Seq >= before {
			break
		}
		r, before = of, of.Seq
	}
	return id, nil
}

// underWay finds the open invocation on r's host that is about that origin too;
// nil: there is none.
func (t *tx) underWay(r *tasks.Record, origin string) (*tasks.Record, error) {
	pending := tasks.FactsWanted(installer.Filter{State: installer.Pending})
	running := tasks.FactsWanted(installer.Filter{State: installer.Running})
	for key := range t.All(tasks.THostList, r.HostKey()) {
		facts := t.Get(tasks.TList, append(kv.Join(r.ProjectID), kv.StampOf(key)...))
		if !tasks.FactsMatch(facts, pending) && !tasks.FactsMatch(facts, running) {
			continue
		}
		id, _, _ := bytes.Cut(facts, []byte{0})
		other, err := t.Load(string(id))
		if err != nil {
			return nil, err
		}
		if other == nil || other.Of == "" {
			continue
		}
		about, err := t.origin(other, other.Seq)
		if err != nil {
			return nil, err
		}
		if about == origin {
			return other, nil
		}
	}
	return nil, nil
}
