package tasks

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

const (
	factParts = 6
	factCheck = "check"
)

// Facts is what lists filter by, so that they need not decode invocations:
// id, state, type, instance type, target, host, each followed by NUL. What is
// check-only is no task of the API's: its facts have one part more.
func (r *Record) Facts() []byte {
	facts := []string{r.ID, string(r.State), string(r.Type), string(r.Host.Type), r.Spec.Target, r.Host.ID}
	if r.Spec.CheckOnly {
		facts = append(facts, factCheck)
	}
	return kv.Join(facts...)
}

func isCheckOnly(facts []byte) bool { return bytes.Count(facts, []byte{0}) > factParts }

func idOf(facts []byte) string {
	id, _, _ := bytes.Cut(facts, []byte{0})
	return string(id)
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

func (t Tx) factsAt(project string, key []byte) []byte {
	return t.Get(TList, append(kv.Join(project), kv.StampOf(key)...))
}

// Pick returns the ids on the page and how many match in all, from index keys.
// It walks all of them, because the count is told with each page: how long that
// takes depends on the length of the list, not on how deep in it the page is.
func (t Tx) Pick(f installer.Filter) (ids []string, count int64, err error) {
	want := factsWanted(f)
	take := func(facts []byte) {
		if !factsMatch(facts, want) || f.TasksOnly && isCheckOnly(facts) {
			return
		}
		if count >= f.Offset && (f.Limit <= 0 || len(ids) < f.Limit) {
			ids = append(ids, idOf(facts))
		}
		count++
	}
	if f.InvocationID != "" {
		r, err := t.Load(f.InvocationID)
		if r != nil && r.ProjectID == f.ProjectID && (f.BatchID == "" || r.BatchID == f.BatchID) {
			take(r.Facts())
		}
		return ids, count, err
	}
	from, prefix := TList, kv.Join(f.ProjectID)
	switch {
	case f.BatchID != "":
		h, err := t.Head(f.BatchID)
		if err != nil || h == nil || h.ProjectID != f.ProjectID {
			return nil, 0, err
		}
		from, prefix = TBatList, kv.Join(f.BatchID)
	case f.InstanceID != "":
		from, prefix = THostList, kv.Join(f.ProjectID, f.InstanceID)
	}
	for key, facts := range t.AllBackwards(from, prefix) {
		if len(facts) == 0 {
			facts = t.factsAt(f.ProjectID, key)
		}
		take(facts)
	}
	return ids, count, nil
}

// OpenOn walks the ids of the invocations on a host that have not ended.
func (t Tx) OpenOn(project, host string) iter.Seq2[string, error] {
	states := [][]string{factsWanted(installer.Filter{State: installer.Pending}), factsWanted(installer.Filter{State: installer.Running})}
	return func(yield func(string, error) bool) {
		for key := range t.All(THostList, kv.Join(project, host)) {
			facts := t.factsAt(project, key)
			var err error
			if facts == nil {
				err = fmt.Errorf("%w: the list has not all of host %s", disk.ErrDamaged, host)
			}
			open := slices.ContainsFunc(states, func(want []string) bool { return factsMatch(facts, want) })
			if (open || err != nil) && !yield(idOf(facts), err) {
				return
			}
		}
	}
}

// InvocationsOn walks a host's invocations without their steps, oldest first.
// The body must not change them.
func (t Tx) InvocationsOn(project, host string) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for key := range t.All(THostList, kv.Join(project, host)) {
			if !yield(t.Listed(idOf(t.factsAt(project, key)))) {
				return
			}
		}
	}
}

// OpenRecords walks the invocations that have not ended: RUNNING, ready or waiting for
// their host. The body must not change their state.
func (t Tx) OpenRecords() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for id := range t.All(TActive, nil) {
			if !yield(t.Listed(string(id))) {
				return
			}
		}
		for _, walk := range []iter.Seq2[[]byte, []byte]{t.All(TReady, kv.Join("")), t.All(TWaiting, nil)} {
			for _, id := range walk {
				if !yield(t.Listed(string(id))) {
					return
				}
			}
		}
	}
}

// UsersOf counts the invocations that have not ended and need a package.
func UsersOf(k *kv.Tx, sha256 string) (n int, err error) {
	for r, err := range (Tx{k}).OpenRecords() {
		if err != nil {
			return 0, err
		}
		if slices.ContainsFunc(r.Spec.Packages, func(p installer.BlobRef) bool { return p.SHA256 == sha256 }) {
			n++
		}
	}
	return n, nil
}
