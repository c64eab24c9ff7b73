package tasks

import (
	"bytes"
	"iter"
	"slices"

	"tripod/installer"
	"tripod/store/kv"
)

const (
	factParts  = 6
	factHidden = "hidden"
)

// Facts is what lists filter by without decoding invocations: id, state, type, instance type, target,
// host, each followed by NUL; one part more if it is not in the
// agent-task API.
func (r *Record) Facts() []byte {
	facts := []string{r.ID, string(r.State), string(r.Type), string(r.Host.Type), r.Spec.Target, r.Host.ID}
	if !r.InAPI() {
		facts = append(facts, factHidden)
	}
	return kv.Join(facts...)
}

func isHidden(facts []byte) bool { return bytes.Count(facts, []byte{0}) > factParts }

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
	facts := t.Get(TList, append(kv.Join(project), kv.StampOf(key)...))
	if facts == nil {
		t.Damaged("the list has not all of project %s", project)
	}
	return facts
}

// Pick returns the ids on the page and how many match in all, from index keys. It walks all of them,
// however deep the page is, because the count is part of each page.
func (t Tx) Pick(f installer.Filter) (ids []string, count int64) {
	want := factsWanted(f)
	take := func(facts []byte) {
		if !factsMatch(facts, want) || f.TasksOnly && isHidden(facts) {
			return
		}
		if count >= f.Offset && (f.Limit <= 0 || len(ids) < f.Limit) {
			ids = append(ids, idOf(facts))
		}
		count++
	}
	if f.InvocationID != "" {
		r := t.Load(f.InvocationID)
		if r != nil && r.ProjectID == f.ProjectID && (f.BatchID == "" || r.BatchID == f.BatchID) {
			take(r.Facts())
		}
		return ids, count
	}
	from, prefix := TList, kv.Join(f.ProjectID)
	switch {
	case f.BatchID != "":
		if h := t.Head(f.BatchID); h == nil || h.ProjectID != f.ProjectID {
			return nil, 0
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
	return ids, count
}

var (
	wantPending = factsWanted(installer.Filter{State: installer.Pending})
	wantRunning = factsWanted(installer.Filter{State: installer.Running})
)

// OpenOn are the ids of the invocations on a host that have not ended.
func (t Tx) OpenOn(project, host string) (ids []string) {
	for key := range t.All(THostList, kv.Join(project, host)) {
		facts := t.factsAt(project, key)
		if factsMatch(facts, wantPending) || factsMatch(facts, wantRunning) {
			ids = append(ids, idOf(facts))
		}
	}
	return ids
}

// InvocationsOn walks a host's invocations without their steps, oldest first.
// The body must not change them.
func (t Tx) InvocationsOn(project, host string) iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		for key := range t.All(THostList, kv.Join(project, host)) {
			if !yield(t.Listed(idOf(t.factsAt(project, key)))) {
				return
			}
		}
	}
}

// UsersOf counts the invocations that have not ended and need a package.
func UsersOf(k *kv.Tx, sha256 string) (n int) {
	t := Tx{k}
	count := func(id []byte) {
		if slices.ContainsFunc(t.Listed(string(id)).Spec.Packages, func(p installer.BlobRef) bool { return p.SHA256 == sha256 }) {
			n++
		}
	}
	for id := range t.All(TActive, nil) {
		count(id)
	}
	for _, id := range t.All(TReady, kv.Join("")) {
		count(id)
	}
	for _, id := range t.All(TWaiting, nil) {
		count(id)
	}
	return n
}
