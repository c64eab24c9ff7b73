// Package files keeps what is too large for the database: packages and scripts, by
// their content; partial uploads; and the logs of invocations.
package files

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"tripod/installer"
	"tripod/store/kv"
)

// The folders in the state folder.
const (
	LogsFolder  = "logs"
	BlobsFolder = "blobs"
)

var (
	tPackages = kv.Table("packages") // SHA-256 → package
	tSent     = kv.Table("sent")     // project, SHA-256 → nothing: the project has sent that file
)

// Tables are those of this room, and RowTables those of them that hold rows.
var (
	Tables    = []kv.Table{tPackages, tSent}
	RowTables = []kv.Table{tPackages}
)

// Files is the room. Its methods can be called from many goroutines.
type Files struct {
	Options
	dir     string
	db      *kv.DB
	logs    openLogs
	blobs   openBlobs
	uploads sync.Mutex // one part is added at a time
	// packages keeps adding and removing of them apart: both change files beside the
	// database.
	packages sync.Mutex
}

// Options are what the rest of the store has to say.
type Options struct {
	Clock func() time.Time
	// LogCap bounds the log of one invocation in bytes.
	LogCap int64
	// Note puts entries into the audit log, in the transaction of what they are about.
	Note func(ctx context.Context, t *kv.Tx, at time.Time, entries ...installer.AuditEntry) error
	// Users counts the invocations that have not ended and need a package.
	Users func(t *kv.Tx, sha256 string) (int, error)
}

// New returns the files of a state folder.
func New(dir string, db *kv.DB, o Options) *Files { return &Files{Options: o, dir: dir, db: db} }

func (s *Files) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// Close closes what is open, and puts logs on disk.
func (s *Files) Close() error { return errors.Join(s.logs.closeAll(), s.blobs.closeAll()) }
