// Package store keeps Tripod's state in one folder that only its owner can enter: what
// has been acknowledged survives kill -9, a full disk and a power cut, and the passwords
// of a whole fleet are unreadable once they are not needed.
//
//	tripod.db                        all tables (package kv), with sealed credentials
//	tripod.lock                      locked while a process uses the folder; holds its pid
//	initialized                      the folder has been used: a missing database is a loss
//	master.key, login.keys           what sealed credentials are opened with (package vault)
//	logs/<batch>/<invocation>.log    what the host said: its beginning, or all of it
//	logs/<batch>/<invocation>.tail/  the end of what was long, in parts
//	blobs/<sha256>                   packages and scripts
//
// A method that changes something returns nil only after the change is on disk. A log is
// synced when it is closed, and before Finish commits the result it belongs to.
//
// A new login key is on disk before the transaction that needs it; an old one goes after
// the transaction that drops its login, or at the next start. (On copy-on-write file
// systems and flash overwritten blocks may live on; there the disk must be encrypted.)
//
// Errors of the disk wrap installer.ErrStorage. After one that space can cure the store
// goes on; after any other failed commit it refuses to write until it is opened again,
// because the page cache can no longer be trusted.
package store

import (
	"cmp"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tripod/installer"
	"tripod/store/access"
	"tripod/store/audit"
	"tripod/store/files"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/tasks"
	"tripod/store/vault"
)

// Store is one open state folder. Its methods can be called from many
// goroutines.
type Store struct {
	*inventory.Inventory
	*audit.Trail
	*access.Access
	*files.Files

	dir   string
	o     Options
	lock  *os.File
	db    *kv.DB
	vault *vault.Vault
	// session tells this process's claims from those of an earlier one.
	session uint64
	close   func() error
}

var (
	_ installer.Ledger = (*Store)(nil)
	_ installer.Blobs  = (*Store)(nil)
)

// Dir is the state folder.
func (s *Store) Dir() string { return s.dir }

func (s *Store) path(parts ...string) string { return filepath.Join(s.dir, filepath.Join(parts...)) }

// Commits is for tests: how often something has waited for the disk of the database.
func (s *Store) Commits() int64 { return s.db.Commits() }

// Close waits for what is under way and lets go of the folder. Everything
// after it fails with installer.ErrStorage.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	var errs []error
	if s.Files != nil {
		errs = append(errs, s.Files.Close())
	}
	if s.Access != nil {
		s.Access.Close()
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.vault != nil {
		errs = append(errs, s.vault.Close())
	}
	errs = append(errs, unlockFolder(s.lock, s.o.ReadOnly))
	return errors.Join(errs...)
}

var (
	bMeta    = kv.Table{Name: "meta"}                // schema, master key check
	bReplays = kv.Table{Name: "replays", Rows: true} // project, Idempotency-Key → what was answered
	bChanges = kv.Table{Name: "changes"}             // target, address and port, number → invocation; see superseded.go
)

var tables = slices.Concat([]kv.Table{bMeta, bReplays, bChanges},
	tasks.Tables, inventory.Tables, audit.Tables, access.Tables, files.Tables)

// schema is the version of all this, and of the files beside the database. No
// other one is read.
const schema = 8

var (
	keySchema = []byte("schema")
	keyMaster = []byte("master-key-check")
)

// Options of Open. The zero value is usable: credentials are then forgotten as
// soon as their batch has ended.
type Options struct {
	// ReadOnly opens for looking only. Several processes can, but none while
	// one writes (LockedError). Nothing is created or repaired.
	ReadOnly bool
	// Clock is the wall clock; nil: time.Now.
	Clock func() time.Time
	// KeepSucceeded and KeepOther say how long credentials can be opened after their batch has ended: if all
	// of it succeeded, or otherwise. 0: not at all. They are stored with each batch submitted.
	KeepSucceeded, KeepOther time.Duration
	// LogCap bounds the log of one invocation in bytes, all its attempts
	// together: the first half of it, and the last quarter at least. 0: 4 MiB.
	LogCap int64
	// MaxOpen bounds the invocations that have not ended, in all projects: a
	// batch that would be too much is refused with installer.ErrFull. 0: no bound.
	MaxOpen int
	// LockWait is how long to wait for another process to leave. 0: 1 s.
	LockWait time.Duration
	// Logger gets what was repaired or erased; nil: nobody.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	o.LogCap = cmp.Or(max(o.LogCap, 0), 4<<20)
	o.LockWait = cmp.Or(max(o.LockWait, 0), time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
