// Package tasks keeps invocations and batches: their rows, the lists that they are
// found by, how many are in each state, and which may be worked on. What a task
// means for its host is the inventory's business.
package tasks

import "tripod/store/kv"

// Tx is a transaction.
type Tx struct{ *kv.Tx }

// Keys are strings joined by NUL and big-endian numbers, so that their order is the
// order of the lists. A stamp is time and sequence number.
var (
	TInv      = kv.Table("inv")      // invocation → record without steps
	TSteps    = kv.Table("steps")    // invocation, attempt, number → step
	TActive   = kv.Table("active")   // invocation → its claim; RUNNING ones only
	TList     = kv.Table("list")     // project, stamp → what filters look at
	THostList = kv.Table("hostlist") // project, host, stamp → nothing
	TBatList  = kv.Table("batlist")  // batch, stamp → nothing
	THeads    = kv.Table("heads")    // batch → head without its counts
	TCounts   = kv.Table("counts")   // batch → how many are in each state; its sequence: how many are open in all
	THeadList = kv.Table("headlist") // project, stamp → batch
	TPrints   = kv.Table("prints")   // project, fingerprint, stamp → batch
	TReady    = kv.Table("ready")    // scope, class, stamp → invocation
	TWaiting  = kv.Table("waiting")  // project, host, batch, class, stamp → invocation
	TBusy     = kv.Table("busy")     // project, host → the invocation that runs there
	TKept     = kv.Table("kept")     // batch → until when its logins can be opened
)

// Tables are those of this room, and RowTables those of them that hold rows.
var (
	Tables    = []kv.Table{TInv, TSteps, TActive, TList, THostList, TBatList, THeads, TCounts, THeadList, TPrints, TReady, TWaiting, TBusy, TKept}
	RowTables = []kv.Table{TInv, TSteps, TActive, THeads, TCounts, TKept}
)
