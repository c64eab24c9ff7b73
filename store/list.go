package store

import (
	"context"
	"io"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// pageChunk is how many invocations one read transaction assembles.
const pageChunk = 256

// Invocation implements installer.Ledger.
func (s *Store) Invocation(ctx context.Context, project, id string) (inv installer.Invocation, err error) {
	err = s.view(ctx, func(t *tx) error {
		r, err := t.LoadIn(project, id)
		if err != nil {
			return err
		}
		if err := t.tell(r); err != nil {
			return err
		}
		inv = r.Invocation
		return nil
	})
	return inv, err
}

// Log implements installer.Ledger.
func (s *Store) Log(ctx context.Context, project, id string) (io.ReadCloser, error) {
	var r *tasks.Record
	err := s.view(ctx, func(t *tx) (err error) {
		r, err = t.LoadIn(project, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.ReadLog(r.BatchID, r.ID)
}

// Invocations implements installer.Ledger. Which invocations are on the page
// is decided at one moment; a long page is then read in several short
// transactions, so its items may have moved on.
func (s *Store) Invocations(ctx context.Context, f installer.Filter) (installer.Page, error) {
	page := installer.Page{Invocations: []installer.Invocation{}}
	if err := kv.CheckProject(f.ProjectID); err != nil {
		return page, err
	}
	var ids []string
	err := s.view(ctx, func(t *tx) (err error) {
		ids, page.Count, err = t.Pick(f)
		return err
	})
	for len(ids) > 0 && err == nil {
		chunk := ids[:min(pageChunk, len(ids))]
		ids = ids[len(chunk):]
		err = s.view(ctx, func(t *tx) error {
			for _, id := range chunk {
				r, err := t.LoadIn(f.ProjectID, id)
				if err != nil {
					return err
				}
				if err := t.tell(r); err != nil {
					return err
				}
				page.Invocations = append(page.Invocations, r.Invocation)
			}
			return nil
		})
	}
	if err != nil {
		return installer.Page{}, err
	}
	return page, nil
}

// tell fills in what is not in the invocation's own row.
func (t *tx) tell(r *tasks.Record) error {
	if err := t.AddSteps(&r.Invocation); err != nil {
		return err
	}
	return t.findSuperseding(r)
}
