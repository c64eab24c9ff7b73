// Package kv is the ordered key-value store under all packages of the state: named
// tables, read and write transactions, and rows with checksums. Concurrent writers share
// one commit. It exists so that bbolt is used in one place only.
package kv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"tripod/installer"
	"tripod/store/disk"
)

// Table names one of the database's tables.
type Table []byte

// Schema is what a database has to consist of.
type Schema struct {
	Tables []Table
	// Rows are those tables whose values are rows (NewRow).
	Rows []Table
}

// DB is an open database. Its methods can be called from many goroutines.
type DB struct {
	path     string
	schema   Schema
	readOnly bool
	bolt     *bbolt.DB
	commits  committer
}

// Create makes a database with what fill puts into it, under another name
// first, so that it is whole as soon as it is there.
func Create(path string, s Schema, fill func(*Tx) error) error {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, _, err := openBolt(fresh, false)
	if err != nil {
		return err
	}
	err = db.Update(func(b *bbolt.Tx) error {
		for _, name := range s.Tables {
			if _, err := b.CreateBucket(name); err != nil {
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
func Open(path string, s Schema, readOnly bool) (*DB, error) {
	if err := checkFile(path); err != nil {
		return nil, err
	}
	bolt, file, err := openBolt(path, readOnly)
	if err != nil {
		if file != nil {
			// A panic in bbolt leaks the file and its memory map, which keeps
			// bbolt's lock even when the file is closed.
			_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
			_ = file.Close()
		}
		return nil, err
	}
	return &DB{path: path, schema: s, readOnly: readOnly, bolt: bolt, commits: committer{db: bolt, linger: defaultLinger}}, nil
}

// lockWait is for bbolt's own lock on its file: who opens a database holds the
// folder's already.
const lockWait = 20 * time.Millisecond

// openBolt also returns the file that bbolt has opened, where it failed
// without closing it.
func openBolt(path string, readOnly bool) (db *bbolt.DB, file *os.File, err error) {
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
	return db, file, err
}

// Close waits for transactions that are under way.
func (db *DB) Close() error { return db.bolt.Close() }

// Path is the database's file.
func (db *DB) Path() string { return db.path }

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
