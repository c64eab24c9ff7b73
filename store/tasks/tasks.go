// Package tasks keeps invocations and batches: rows, lists, state counts, and which may be worked on. What
// a task means for its host is the inventory's business.
package tasks

import (
	"encoding/binary"
	"fmt"
	"slices"

	"tripod/installer"
	"tripod/store/kv"
)

// Tx is a transaction.
type Tx struct{ *kv.Tx }

// Keys are strings joined by NUL and big-endian numbers, so that their order is the
// order of the lists. A stamp is time and sequence number.
var (
	TInv      = kv.Table{Name: "inv", Rows: true}    // invocation → record without steps
	TSteps    = kv.Table{Name: "steps", Rows: true}  // invocation, attempt, number → step
	TActive   = kv.Table{Name: "active", Rows: true} // invocation → its claim; RUNNING ones only
	TList     = kv.Table{Name: "list"}               // project, stamp → what filters look at
	THostList = kv.Table{Name: "hostlist"}           // project, host, stamp → nothing
	TBatList  = kv.Table{Name: "batlist"}            // batch, stamp → nothing
	THeads    = kv.Table{Name: "heads", Rows: true}  // batch → head without its counts
	TCounts   = kv.Table{Name: "counts", Rows: true} // batch → count by state; its sequence: how many are open in all
	THeadList = kv.Table{Name: "headlist"}           // project, stamp → batch
	TPrints   = kv.Table{Name: "prints"}             // project, fingerprint, stamp → batch
	TReady    = kv.Table{Name: "ready"}              // scope, class, stamp → invocation
	TWaiting  = kv.Table{Name: "waiting"}            // project, host, batch, class, stamp → invocation
	TBusy     = kv.Table{Name: "busy"}               // project, host → the invocation that runs there
	TKept     = kv.Table{Name: "kept", Rows: true}   // batch → until when its logins can be opened
)

// Tables are those of this room.
var Tables = []kv.Table{
	TInv, TSteps, TActive, TList, THostList, TBatList, THeads, TCounts, THeadList, TPrints, TReady, TWaiting, TBusy, TKept,
}

// Record is an invocation as it is stored: without steps, which have rows of
// their own so that journaling one is a small write.
type Record struct {
	Seq uint64 // order of submission
	installer.Invocation
	// Found is Outcome.Message, which the invocation's own message hides in JSON.
	Found string `json:"found,omitempty"`
}

func (r *Record) stored() *Record {
	stored := *r
	stored.Found = r.Outcome.Message
	stored.Attempts = slices.Clone(r.Attempts)
	for i := range stored.Attempts {
		stored.Attempts[i].Steps = nil
	}
	return &stored
}

// Row encodes it.
func (r *Record) Row() ([]byte, error) { return kv.NewRow(r.stored()) }

// Save stores it in place of what there is.
func (t Tx) Save(r *Record) { t.PutRow(TInv, []byte(r.ID), r.Seq, r.stored()) }

// Load reads an invocation without its steps; nil if there is none.
func (t Tx) Load(id string) *Record {
	row := t.Get(TInv, []byte(id))
	if row == nil {
		return nil
	}
	r := &Record{}
	r.Seq = t.ReadRow(row, r)
	r.Outcome.Message = r.Found
	return r
}

// LoadIn reads an invocation of one project. Another project's is not found (C4).
func (t Tx) LoadIn(project, id string) (*Record, error) {
	r := t.Load(id)
	if r == nil || r.ProjectID != project {
		return nil, kv.NotFound("invocation", id)
	}
	return r, nil
}

// Listed reads an invocation that a list names.
func (t Tx) Listed(id string) *Record {
	r := t.Load(id)
	if r == nil {
		t.Damaged("a list names invocation %q, which is missing", id)
	}
	return r
}

// LoadAbout reads what a RETRY or ROLLBACK is about: it was there before r, in the same
// project. nil: r is about nothing, or about what is not stored any more.
func (t Tx) LoadAbout(r *Record) *Record {
	of := t.Load(r.Of)
	if of == nil || of.ProjectID != r.ProjectID || r.Seq > 0 && of.Seq >= r.Seq {
		return nil
	}
	return of
}

// HostKey is that of the host in tables.
func (r *Record) HostKey() []byte { return kv.Join(r.ProjectID, r.Host.ID) }

// ListKey is its place in the list of its project.
func (r *Record) ListKey() []byte { return kv.Stamped(kv.Join(r.ProjectID), r.Created, r.Seq) }

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

// Active is the small row of a RUNNING invocation, so that journaling a step
// does not read and write the whole invocation.
type Active struct {
	Claim   uint64 `json:"claim"`
	Session uint64 `json:"session"` // of the process that claimed it
	Attempt int    `json:"attempt"` // its number
	Crashes int    `json:"crashes,omitempty"`
	SetUp   bool   `json:"set_up,omitempty"` // success makes its host a jump host
}

// Held returns the claim's row if ref is the latest claim: the compare of
// every compare-and-set.
func (t Tx) Held(ref installer.Ref) (Active, error) {
	a := kv.GetRow[Active](t.Tx, TActive, []byte(ref.ID))
	switch {
	case a == nil:
		return Active{}, fmt.Errorf("invocation %s: %w", ref.ID, installer.ErrStale)
	case a.Claim != ref.Claim:
		return Active{}, fmt.Errorf("invocation %s: claim %d, the latest is %d: %w", ref.ID, ref.Claim, a.Claim, installer.ErrStale)
	}
	return *a, nil
}

// AddSteps fills in the journal.
func (t Tx) AddSteps(inv *installer.Invocation) {
	for i := range inv.Attempts {
		inv.Attempts[i].Steps = []installer.StepRecord{}
	}
	for key, rec := range kv.Rows[installer.StepRecord](t.Tx, TSteps, kv.Join(inv.ID)) {
		if n := int(binary.BigEndian.Uint32(key[len(key)-8:])); 1 <= n && n <= len(inv.Attempts) {
			a := &inv.Attempts[n-1]
			a.Steps = append(a.Steps, *rec)
		}
	}
}

// AppendSteps stores steps at the end of the present attempt's journal.
func (t Tx) AppendSteps(id string, a Active, steps []installer.StepRecord) {
	if len(steps) == 0 {
		return
	}
	var number uint32 // of the newest step
	if key, _ := kv.First(t.AllBackwards(TSteps, kv.Join(id))); key != nil {
		number = binary.BigEndian.Uint32(key[len(key)-4:])
	}
	for _, rec := range steps {
		number++
		key := binary.BigEndian.AppendUint32(kv.Join(id), uint32(a.Attempt))
		t.PutRow(TSteps, binary.BigEndian.AppendUint32(key, number), uint64(number), rec)
	}
}
