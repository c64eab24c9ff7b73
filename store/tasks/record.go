package tasks

import (
	"fmt"
	"iter"
	"slices"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

// Record is an invocation as it is stored: without steps, which have rows of
// their own so that journaling one is a small write.
type Record struct {
	Seq uint64 // order of submission
	installer.Invocation
	// Found is Outcome.Message, which the invocation's own message hides in JSON.
	Found string `json:"found,omitempty"`
	// Height is that of the stack of changes of its place when an attempt ended that
	// had changed the host and did not succeed; nil: none did.
	Height *uint64 `json:"height,omitempty"`
}

// Row encodes it.
func (r *Record) Row() ([]byte, error) {
	stored := *r
	stored.Found = r.Outcome.Message
	stored.Superseded, stored.SupersededForGood = "", false // true at the moment only
	stored.Attempts = slices.Clone(r.Attempts)
	for i := range stored.Attempts {
		stored.Attempts[i].Steps = nil
	}
	return kv.NewRow(&stored)
}

// Load reads an invocation without its steps; nil if there is none.
func (t Tx) Load(id string) (*Record, error) {
	row := t.Get(TInv, []byte(id))
	if row == nil {
		return nil, nil
	}
	r := &Record{}
	seq, err := kv.ReadRow(row, r)
	if err != nil {
		return nil, err
	}
	r.Seq, r.Outcome.Message = seq, r.Found
	return r, nil
}

// LoadIn reads an invocation of one project. Another project's is not found (C4).
func (t Tx) LoadIn(project, id string) (*Record, error) {
	r, err := t.Load(id)
	if err == nil && (r == nil || r.ProjectID != project) {
		return nil, kv.NotFound("invocation", id)
	}
	return r, err
}

// Save stores it in place of what there is.
func (t Tx) Save(r *Record) {
	row, err := r.Row()
	if err != nil {
		t.Fail(err)
		return
	}
	t.Put(TInv, []byte(r.ID), kv.SealRow(row, r.Seq))
}

// HostKey is that of the host in tables.
func (r *Record) HostKey() []byte { return kv.Join(r.ProjectID, r.Host.ID) }

// ListKey is its place in the list of its project.
func (r *Record) ListKey() []byte { return kv.Stamped(kv.Join(r.ProjectID), r.Created, r.Seq) }

// Facts is what lists filter by, so that they need not decode invocations:
// id, state, type, instance type, target, host, each followed by NUL; see factCheck.
func (r *Record) Facts() []byte {
	facts := []string{r.ID, string(r.State), string(r.Type), string(r.Host.Type), r.Spec.Target, r.Host.ID}
	if r.Spec.CheckOnly {
		facts = append(facts, factCheck)
	}
	return kv.Join(facts...)
}

// SetState is the only way from one state to another: it keeps the list and
// the batch's counts in step.
func (t Tx) SetState(r *Record, to installer.State) {
	if r.State == to {
		return
	}
	t.AddCount(r.BatchID, r.State, -1)
	t.AddCount(r.BatchID, to, +1)
	r.State = to
	t.Put(TList, r.ListKey(), r.Facts())
}

// OpenRecords walks the invocations that have not ended: RUNNING, ready or waiting for
// their host. The body must not change their state.
func (t Tx) OpenRecords() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		one := func(id []byte) bool {
			r, err := t.Load(string(id))
			if err == nil && r == nil {
				err = fmt.Errorf("%w: an index names %q, which is missing", disk.ErrDamaged, id)
			}
			return yield(r, err)
		}
		for id := range t.All(TActive, nil) {
			if !one(id) {
				return
			}
		}
		for _, from := range []struct {
			table  kv.Table
			prefix []byte
		}{{TReady, kv.Join("")}, {TWaiting, nil}} {
			for _, id := range t.All(from.table, from.prefix) {
				if !one(id) {
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
