package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

// pageChunk is how many invocations one read transaction assembles.
const pageChunk = 256

// Invocation implements installer.Ledger.
func (s *Store) Invocation(ctx context.Context, project, id string) (inv installer.Invocation, err error) {
	err = s.view(ctx, func(t *tx) error {
		r, err := t.loadIn(project, id)
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
	var r *record
	err := s.view(ctx, func(t *tx) (err error) {
		r, err = t.loadIn(project, id)
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
		ids, page.Count, err = t.pick(f)
		return err
	})
	for len(ids) > 0 && err == nil {
		chunk := ids[:min(pageChunk, len(ids))]
		ids = ids[len(chunk):]
		err = s.view(ctx, func(t *tx) error {
			for _, id := range chunk {
				r, err := t.loadIn(f.ProjectID, id)
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

// pick returns the ids on the page and how many match in all, from index keys.
// It walks all of them, because the count is told with each page: how long that
// takes depends on the length of the list, not on how deep in it the page is.
func (t *tx) pick(f installer.Filter) (ids []string, count int64, err error) {
	want := factsWanted(f)
	take := func(facts []byte) {
		if f.TasksOnly && isCheckOnly(facts) {
			return
		}
		if count >= f.Offset && (f.Limit <= 0 || len(ids) < f.Limit) {
			id, _, _ := bytes.Cut(facts, []byte{0})
			ids = append(ids, string(id))
		}
		count++
	}
	if f.InvocationID != "" {
		r, err := t.load(f.InvocationID)
		if err != nil || r == nil || r.ProjectID != f.ProjectID || f.BatchID != "" && r.BatchID != f.BatchID {
			return nil, 0, err
		}
		if facts := r.facts(); factsMatch(facts, want) {
			take(facts)
		}
		return ids, count, nil
	}

	from, prefix, owns := bList, kv.Join(f.ProjectID), true
	switch {
	case f.BatchID != "":
		h, err := t.head(f.BatchID)
		if err != nil || h == nil || h.ProjectID != f.ProjectID {
			return nil, 0, err
		}
		from, prefix, owns = bBatList, kv.Join(f.BatchID), false
	case f.InstanceID != "":
		from, prefix, owns = bHostList, kv.Join(f.ProjectID, f.InstanceID), false
	}
	for k, facts := range t.AllBackwards(from, prefix) {
		if !owns {
			facts = t.Get(bList, append(kv.Join(f.ProjectID), kv.StampOf(k)...))
		}
		if factsMatch(facts, want) {
			take(facts)
		}
	}
	return ids, count, nil
}

// factsWanted is the part of the filter that is about facts, in their order: an
// empty part is any, and those at the end that are any are left out.
func factsWanted(f installer.Filter) []string {
	want := []string{"", string(f.State), string(f.Type), string(f.InstanceType), f.Target, f.InstanceID}
	for len(want) > 0 && want[len(want)-1] == "" {
		want = want[:len(want)-1]
	}
	return want
}

func factsMatch(facts []byte, want []string) bool {
	for _, w := range want {
		end := bytes.IndexByte(facts, 0)
		if end < 0 || w != "" && string(facts[:end]) != w {
			return false
		}
		facts = facts[end+1:]
	}
	return true
}

// invocationsOn walks a host's invocations without their steps, oldest first.
// The body must not change them.
func (t *tx) invocationsOn(project, host string) iter.Seq2[*record, error] {
	return func(yield func(*record, error) bool) {
		for k := range t.All(bHostList, kv.Join(project, host)) {
			id, _, _ := bytes.Cut(t.Get(bList, append(kv.Join(project), kv.StampOf(k)...)), []byte{0})
			r, err := t.load(string(id))
			if err == nil && r == nil {
				err = fmt.Errorf("%w: host %s lists %q, which is missing", disk.ErrDamaged, host, id)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
