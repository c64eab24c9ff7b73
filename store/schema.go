package store

import (
	"slices"

	"tripod/store/access"
	"tripod/store/audit"
	"tripod/store/files"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/tasks"
)

var (
	bMeta      = kv.Table("meta")      // schema, master key check
	bReplays   = kv.Table("replays")   // project, Idempotency-Key → what was answered
	bReplayAge = kv.Table("replayage") // stamp → key of the replay
	bChanges   = kv.Table("changes")   // target, address and port, number → invocation; see superseded.go
)

// tables is what the whole database consists of: the tables of all rooms.
func tables() kv.Schema {
	return kv.Schema{
		Tables: slices.Concat([]kv.Table{bMeta, bReplays, bReplayAge, bChanges},
			tasks.Tables, inventory.Tables, audit.Tables, access.Tables, files.Tables),
		Rows: slices.Concat([]kv.Table{bReplays},
			tasks.RowTables, inventory.RowTables, audit.RowTables, access.RowTables, files.RowTables),
	}
}

// schema is the version of all this, and of the files beside the database. No
// other one is read.
const schema = 7

var (
	keySchema = []byte("schema")
	keyMaster = []byte("master-key-check")
)
