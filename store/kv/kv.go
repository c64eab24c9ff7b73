// Package kv is the ordered key-value store under the state: named tables, transactions, and rows with
// checksums. Concurrent writers share one commit. bbolt is used here only.
package kv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"tripod/installer"
	"tripod/store/disk"
)

// Table is one of the database's tables.
type Table struct {
	Name string
	Rows bool // its values are rows (NewRow)
}

// DB is an open database. Its methods can be called from many goroutines.
type DB struct {
	tables   []Table
	readOnly bool
	bolt     *bbolt.DB
	commits  committer
}

// Room is what every room of the state has.
type Room struct {
	DB     *DB
	Clock  func() time.Time
	Logger *slog.Logger
	// Note puts entries into the audit log, in the transaction of what they are about.
	Note func(ctx context.Context, t *Tx, at time.Time, entries ...installer.AuditEntry) error
}

// Create makes a database with what fill puts into it, under another name
// first, so that it is whole as soon as it is there.
func Create(path string, tables []Table, fill func(*Tx) error) error {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := openBolt(fresh, false)
	if err != nil {
		return err
	}
	err = db.Update(func(b *bbolt.Tx) error {
		for _, table := range tables {
			if _, err := b.CreateBucket([]byte(table.Name)); err != nil {
				return err
			}
		}
		t := &Tx{b: b}
		return errors.Join(fill(t), t.err)
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return disk.SyncFolder(filepath.Dir(path))
}

// Open opens a database that Create has made. disk.ErrDamaged if it is not whole,
// as far as its first pages tell; Check looks at all of it.
func Open(path string, tables []Table, readOnly bool) (*DB, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() == 0 { // bbolt would make an empty one
		err = fmt.Errorf("%w: it is empty", disk.ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	bolt, err := openBolt(path, readOnly)
	if err != nil {
		return nil, err
	}
	db := &DB{tables: tables, readOnly: readOnly, bolt: bolt, commits: committer{db: bolt, linger: defaultLinger}}
	err = db.View(context.Background(), func(t *Tx) error {
		if want := t.b.Size(); info.Size() < want {
			return fmt.Errorf("%w: it is cut short, %d of at least %d bytes are there", disk.ErrDamaged, info.Size(), want)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, bolt.Close())
	}
	return db, nil
}

// lockWait is for bbolt's own lock on its file: who opens a database holds the
// folder's already.
const lockWait = 20 * time.Millisecond

func openBolt(path string, readOnly bool) (db *bbolt.DB, err error) {
	var file *os.File
	err = guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:      lockWait,
			ReadOnly:     readOnly,
			FreelistType: bbolt.FreelistMapType,
			NoStatistics: true,
			OpenFile: func(name string, flag int, _ os.FileMode) (*os.File, error) {
				f, err := disk.Open(name, flag)
				file = f
				return f, err
			},
		})
		return err
	})
	if err != nil && file != nil {
		// A panic in bbolt leaks the file and its memory map, which keeps
		// bbolt's lock even when the file is closed.
		_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
		_ = file.Close()
	}
	var system syscall.Errno
	if err != nil && file != nil && !errors.As(err, &system) && !errors.Is(err, bolterrors.ErrTimeout) && !errors.Is(err, disk.ErrDamaged) {
		err = fmt.Errorf("%w: %w", disk.ErrDamaged, err)
	}
	return db, err
}

// Check walks every page that is in use and every row.
func (db *DB) Check(t *Tx) error {
	for _, table := range db.tables {
		for key, val := range t.All(table, nil) {
			if !table.Rows {
				continue
			}
			if err := checkRow(val); err != nil {
				return fmt.Errorf("%w (table %q, key %q)", err, table.Name, key)
			}
		}
	}
	return nil
}

// Close waits for transactions that are under way.
func (db *DB) Close() error { return db.bolt.Close() }

// View reads one consistent state, for a short time: a long reader makes the
// file grow.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := guarded(func() error {
		b, err := db.bolt.Begin(false)
		if err != nil {
			return fmt.Errorf("%w: %w", installer.ErrStorage, err)
		}
		defer func() { _ = b.Rollback() }()
		return fn(&Tx{b: b})
	})
	if errors.Is(err, disk.ErrDamaged) {
		return disk.Error("reading the state", err)
	}
	return err
}

// Viewer has transactions of some type that read.
type Viewer[X any] interface {
	View(ctx context.Context, fn func(X) error) error
}

// Read returns what fn finds in one transaction.
func Read[X, T any](ctx context.Context, from Viewer[X], fn func(X) (T, error)) (found T, err error) {
	err = from.View(ctx, func(t X) (err error) {
		found, err = fn(t)
		return err
	})
	return found, err
}

// Update runs fn in a transaction and returns when it is on disk. fn may run
// more than once, so it sets its results afresh and has no other effects.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	if db.readOnly {
		return disk.ErrReadOnly
	}
	return db.commits.do(ctx, fn)
}

// ReadOnly reports whether Update is refused.
func (db *DB) ReadOnly() bool { return db.readOnly }

// AddWriters tells how many more, or fewer, may write at any moment: a writer
// waits a little for the company of others only where there are others.
func (db *DB) AddWriters(delta int) { db.commits.writers.Add(int64(delta)) }

// Refuse is for tests: every write fails like on a broken disk; nil: no more.
func (db *DB) Refuse(err error) {
	db.commits.mu.Lock()
	defer db.commits.mu.Unlock()
	db.commits.broken = err
}

// NoLinger is for tests: writers wait for nobody's company.
func (db *DB) NoLinger() { db.commits.linger = 0 }

// Commits is for tests: how many transactions have been put on disk.
func (db *DB) Commits() int64 { return db.commits.commits.Load() }

// Writers is for tests: how many may write at any moment; see AddWriters.
func (db *DB) Writers() int { return int(db.commits.writers.Load()) }
