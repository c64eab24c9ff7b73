package store

import (
	"slices"

	"tripod/store/access"
	"tripod/store/audit"
	"tripod/store/files"
	"tripod/store/kv"
)

// Keys are strings joined by NUL and big-endian numbers, so that their order
// is the order of the lists. A stamp is time and sequence number.
var (
	bMeta     = kv.Table("meta")     // schema, master key check
	bInv      = kv.Table("inv")      // invocation → record without steps
	bSteps    = kv.Table("steps")    // invocation, attempt, number → step
	bActive   = kv.Table("active")   // invocation → its claim; RUNNING ones only
	bList     = kv.Table("list")     // project, stamp → what filters look at
	bHostList = kv.Table("hostlist") // project, host, stamp → nothing
	bBatList  = kv.Table("batlist")  // batch, stamp → nothing
	bHeads    = kv.Table("heads")    // batch → head without its counts
	bCounts   = kv.Table("counts")   // batch → how many are in each state
	bHeadList = kv.Table("headlist") // project, stamp → batch
	bPrints   = kv.Table("prints")   // project, fingerprint, stamp → batch
	bReady    = kv.Table("ready")    // scope, class, stamp → invocation
	bWaiting  = kv.Table("waiting")  // project, host, batch, class, stamp → invocation
	bBusy     = kv.Table("busy")     // project, host → the invocation that runs there
	bHosts    = kv.Table("hosts")    // project, host → registered host
	bPlaces   = kv.Table("places")   // project, address and port, host → nothing
	bSetUp    = kv.Table("setup")    // project, host → installer
	bKept     = kv.Table("kept")     // batch → until when its logins can be opened
	bSealed   = kv.Table("sealed")   // batch, invocation; or whose and what host it is → sealed credentials
	bPins     = kv.Table("pins")     // project, address and port, key → when pinned

	bReplays   = kv.Table("replays")   // project, Idempotency-Key → what was answered
	bReplayAge = kv.Table("replayage") // stamp → key of the replay

	bChanges = kv.Table("changes") // target, address and port, number → invocation
)

var tables = []kv.Table{
	bMeta, bInv, bSteps, bActive, bList, bHostList, bBatList, bHeads, bCounts, bHeadList, bPrints,
	bReady, bWaiting, bBusy, bHosts, bPlaces, bSetUp, bKept, bSealed, bPins,
	bReplays, bReplayAge, bChanges,
}

// schemaOf is that of the whole database: the tables of all rooms.
func schemaOf() kv.Schema {
	return kv.Schema{
		Tables: slices.Concat(tables, audit.Tables, access.Tables, files.Tables),
		Rows:   slices.Concat(rowTables, audit.RowTables, access.RowTables, files.RowTables),
	}
}

// rowTables are those whose values are rows that carry a checksum.
var rowTables = []kv.Table{bInv, bSteps, bHeads, bHosts, bSetUp, bKept, bReplays}

// schema is the version of all this, and of the files beside the database. No
// other one is read.
const schema = 6

var (
	keySchema = []byte("schema")
	keyMaster = []byte("master-key-check")
	keyOpen   = []byte("open-invocations")
)
