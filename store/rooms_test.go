package store

import (
	"encoding/json"
	"time"

	"tripod/store/kv"
)

// What the tests of the whole store look at in the tables of its rooms.
var (
	bKeys     = kv.Table{Name: "keys"}
	bSeen     = kv.Table{Name: "seen"}
	bAudit    = kv.Table{Name: "audit"}
	bAuditEnd = kv.Table{Name: "audithead"}
	bSent     = kv.Table{Name: "sent"}
	keyAudit  = []byte("head")
)

const (
	logsDir     = "logs"
	blobsDir    = "blobs"
	seenDelay   = time.Second
	tokenPrefix = "tpd_"
	keepPart    = 24 * time.Hour
	auditChunk  = 1000 // entries that are looked at in one transaction
)

// storedAudit is a row of the audit log.
type storedAudit struct {
	Entry json.RawMessage `json:"entry"`
	Hash  string          `json:"hash"`
}
