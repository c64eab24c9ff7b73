package store

import (
	"context"
	"fmt"

	"tripod/installer"
	"tripod/store/tasks"
)

// FollowUp implements installer.Ledger.
func (s *Store) FollowUp(ctx context.Context, task installer.Type, inv *installer.Invocation) (origin string, open *installer.Invocation, err error) {
	err = s.view(ctx, func(t *tx) error {
		r, err := t.LoadIn(inv.ProjectID, inv.ID)
		if err != nil {
			return err
		}
		if origin, err = t.origin(r); err != nil {
			return err
		}
		other, err := t.openAbout(r, origin)
		if other != nil {
			open = &other.Invocation
		}
		if err != nil || other != nil {
			return err
		}
		next := installer.RetryOf(&r.Invocation)
		if task == installer.Rollback {
			next = installer.RollbackOf(&r.Invocation)
		}
		return t.checkSuperseded(&tasks.Record{Invocation: next})
	})
	return origin, open, err
}

// checkFollowUps refuses a second RETRY or ROLLBACK about one original while the first
// one is open, however they came: two requests at the same time, or one that names it
// twice; by its own id, or by that of a RETRY of it. And what is superseded.
func (t *tx) checkFollowUps(records []*tasks.Record) error {
	asked := map[string]bool{}
	for _, r := range records {
		if r.Of == "" {
			continue
		}
		origin, err := t.origin(r)
		if err != nil {
			return err
		}
		open, err := t.openAbout(r, origin)
		if err != nil {
			return err
		}
		if open != nil || asked[origin] {
			return fmt.Errorf("%s of %s: %w", r.Type, r.Of, installer.ErrUnderWay)
		}
		asked[origin] = true
		if err := t.checkSuperseded(r); err != nil {
			return err
		}
	}
	return nil
}

// origin is the id at the end of the chain of RETRYs and ROLLBACKs.
func (t *tx) origin(r *tasks.Record) (string, error) {
	for r.Of != "" {
		of, err := t.LoadAbout(r)
		if err != nil || of == nil {
			return r.Of, err
		}
		r = of
	}
	return r.ID, nil
}

// openAbout finds the open invocation on r's host that is about that origin too;
// nil: there is none.
func (t *tx) openAbout(r *tasks.Record, origin string) (*tasks.Record, error) {
	for id, err := range t.OpenOn(r.ProjectID, r.Host.ID) {
		if err != nil {
			return nil, err
		}
		other, err := t.Listed(id)
		if err != nil {
			return nil, err
		}
		if other.Of == "" {
			continue
		}
		if about, err := t.origin(other); err != nil || about == origin {
			return other, err
		}
	}
	return nil, nil
}
