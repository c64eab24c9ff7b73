package tasks

import (
	"bytes"
	"fmt"
	"iter"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

// Pick returns the ids on the page and how many match in all, from index keys.
// It walks all of them, because the count is told with each page: how long that
// takes depends on the length of the list, not on how deep in it the page is.
func (t Tx) Pick(f installer.Filter) (ids []string, count int64, err error) {
	want := FactsWanted(f)
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
		r, err := t.Load(f.InvocationID)
		if err != nil || r == nil || r.ProjectID != f.ProjectID || f.BatchID != "" && r.BatchID != f.BatchID {
			return nil, 0, err
		}
		if facts := r.Facts(); FactsMatch(facts, want) {
			take(facts)
		}
		return ids, count, nil
	}

	from, prefix, owns := TList, kv.Join(f.ProjectID), true
	switch {
	case f.BatchID != "":
		h, err := t.Head(f.BatchID)
		if err != nil || h == nil || h.ProjectID != f.ProjectID {
			return nil, 0, err
		}
		from, prefix, owns = TBatList, kv.Join(f.BatchID), false
	case f.InstanceID != "":
		from, prefix, owns = THostList, kv.Join(f.ProjectID, f.InstanceID), false
	}
	for k, facts := range t.AllBackwards(from, prefix) {
		if !owns {
			facts = t.Get(TList, append(kv.Join(f.ProjectID), kv.StampOf(k)...))
		}
		if FactsMatch(facts, want) {
			take(facts)
		}
	}
	return ids, count, nil
}

// FactsWanted is the part of the filter that is about facts, in their order: an
// empty part is any, and those at the end that are any are left out.
func FactsWanted(f installer.Filter) []string {
	want := []string{"", string(f.State), string(f.Type), string(f.InstanceType), f.Target, f.InstanceID}
	for len(want) > 0 && want[len(want)-1] == "" {
		want = want[:len(want)-1]
	}
	return want
}

// FactsMatch compares facts with those that are wanted.
func FactsMatch(facts []byte, want []string) bool {
	for _, w := range want {
		end := bytes.IndexByte(facts, 0)
		if end < 0 || w != "" && string(facts[:end]) != w {
			return false
		}
		facts = facts[end+1:]
	}
	return true
}

// InvocationsOn walks a host's invocations without their steps, oldest first.
// The body must not change them.
func (t Tx) InvocationsOn(project, host string) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for k := range t.All(THostList, kv.Join(project, host)) {
			id, _, _ := bytes.Cut(t.Get(TList, append(kv.Join(project), kv.StampOf(k)...)), []byte{0})
			r, err := t.Load(string(id))
			if err == nil && r == nil {
				err = fmt.Errorf("%w: host %s lists %q, which is missing", disk.ErrDamaged, host, id)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
