package store

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

// record is an invocation as it is stored: without steps, which have rows of
// their own so that journaling one is a small write.
type record struct {
	seq uint64 // order of submission
	installer.Invocation
	// Found is Outcome.Message, which the invocation's own message hides in JSON.
	Found string `json:"found,omitempty"`
	// Height is that of the stack of changes of its place when an attempt ended that
	// had changed the host and did not succeed; nil: none did.
	Height *uint64 `json:"height,omitempty"`
}

func (r *record) row() ([]byte, error) {
	stored := *r
	stored.Found = r.Outcome.Message
	stored.Overtaken, stored.OvertakenForGood = "", false // true at the moment only
	stored.Attempts = slices.Clone(r.Attempts)
	for i := range stored.Attempts {
		stored.Attempts[i].Steps = nil
	}
	return kv.NewRow(&stored)
}

// load reads an invocation without its steps; nil if there is none.
func (t *tx) load(id string) (*record, error) {
	row := t.Get(bInv, []byte(id))
	if row == nil {
		return nil, nil
	}
	r := &record{}
	seq, err := kv.ReadRow(row, r)
	if err != nil {
		return nil, err
	}
	r.seq, r.Outcome.Message = seq, r.Found
	return r, nil
}

// loadIn reads an invocation of one project. Another project's is not found (C4).
func (t *tx) loadIn(project, id string) (*record, error) {
	r, err := t.load(id)
	if err == nil && (r == nil || r.ProjectID != project) {
		return nil, kv.NotFound("invocation", id)
	}
	return r, err
}

func (t *tx) save(r *record) {
	row, err := r.row()
	if err != nil {
		t.Fail(err)
		return
	}
	t.Put(bInv, []byte(r.ID), kv.SealRow(row, r.seq))
}

// tell fills in what is not in the invocation's own row.
func (t *tx) tell(r *record) error {
	if err := t.addSteps(&r.Invocation); err != nil {
		return err
	}
	return t.findOvertaker(r)
}

// addSteps fills in the journal.
func (t *tx) addSteps(inv *installer.Invocation) error {
	for i := range inv.Attempts {
		inv.Attempts[i].Steps = []installer.StepRecord{}
	}
	for k, row := range t.All(bSteps, kv.Join(inv.ID)) {
		number := int(binary.BigEndian.Uint32(k[len(k)-8:]))
		if number < 1 || number > len(inv.Attempts) {
			continue
		}
		var rec installer.StepRecord
		if _, err := kv.ReadRow(row, &rec); err != nil {
			return err
		}
		a := &inv.Attempts[number-1]
		a.Steps = append(a.Steps, rec)
	}
	return nil
}

// stepKey orders steps by attempt and then as they came.
func stepKey(id string, attempt int, number uint32) []byte {
	key := binary.BigEndian.AppendUint32(kv.Join(id), uint32(attempt))
	return binary.BigEndian.AppendUint32(key, number)
}

func (r *record) hostKey() []byte { return kv.Join(r.ProjectID, r.Host.ID) }

func (r *record) listKey() []byte { return kv.Stamped(kv.Join(r.ProjectID), r.Created, r.seq) }

// facts is what lists filter by, so that they need not decode invocations:
// id, state, type, instance type, target, host, each followed by NUL; see factCheck.
func (r *record) facts() []byte {
	facts := []string{r.ID, string(r.State), string(r.Type), string(r.Host.Type), r.Spec.Target, r.Host.ID}
	if r.Spec.CheckOnly {
		facts = append(facts, factCheck)
	}
	return kv.Join(facts...)
}

// setState is the only way from one state to another: it keeps the list and
// the batch's counts in step.
func (t *tx) setState(r *record, to installer.State) {
	if r.State == to {
		return
	}
	t.addCount(r.BatchID, r.State, -1)
	t.addCount(r.BatchID, to, +1)
	r.State = to
	t.Put(bList, r.listKey(), r.facts())
}

// openRecords walks the invocations that have not ended: RUNNING, ready or waiting for
// their host. The body must not change their state.
func (t *tx) openRecords() iter.Seq2[*record, error] {
	return func(yield func(*record, error) bool) {
		one := func(id []byte) bool {
			r, err := t.load(string(id))
			if err == nil && r == nil {
				err = fmt.Errorf("%w: an index names %q, which is missing", disk.ErrDamaged, id)
			}
			return yield(r, err)
		}
		for id := range t.All(bActive, nil) {
			if !one(id) {
				return
			}
		}
		for _, from := range []struct {
			table  kv.Table
			prefix []byte
		}{{bReady, kv.Join("")}, {bWaiting, nil}} {
			for _, id := range t.All(from.table, from.prefix) {
				if !one(id) {
					return
				}
			}
		}
	}
}

// usersOf counts the invocations that have not ended and need a package.
func usersOf(k *kv.Tx, sha256 string) (n int, err error) {
	for r, err := range (&tx{Tx: k}).openRecords() {
		if err != nil {
			return 0, err
		}
		if slices.ContainsFunc(r.Spec.Packages, func(p installer.BlobRef) bool { return p.SHA256 == sha256 }) {
			n++
		}
	}
	return n, nil
}
