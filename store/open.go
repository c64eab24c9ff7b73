package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"go.etcd.io/bbolt"
)

// Open opens the state folder dir, and makes it at first use.
//
// Errors: LockedError if another process uses it, ErrNoState if there is
// nothing to read, ErrDamaged if the database is torn, truncated or gone; all
// others say what is wrong with which file. Nothing is changed then.
//
// The process no longer dies of SIGXFSZ: a file-size limit is an error like a
// full disk.
func Open(dir string, o Options) (*Store, error) {
	o = o.withDefaults()
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, storageError("opening "+dir, err)
	}
	// The folder itself may be a link (systemd makes one); what is in it not.
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	signal.Ignore(syscall.SIGXFSZ)

	s, err := open(dir, o)
	if err == nil || errors.Is(err, ErrLocked) || errors.Is(err, ErrNoState) {
		return s, err
	}
	return nil, storageError("opening "+dir, err)
}

func open(dir string, o Options) (*Store, error) {
	prepare := prepareFolder
	if o.ReadOnly {
		prepare = checkFolder
	}
	if err := prepare(dir); o.ReadOnly && errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoState
	} else if err != nil {
		return nil, err
	}
	lock, err := lockFolder(dir, o.ReadOnly, o.LockWait)
	if err != nil {
		return nil, err
	}
	s := newStore(dir, o, lock)
	if err := s.openAll(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) openAll() error {
	path := s.path(dbName)
	first, err := s.firstUse()
	if err != nil {
		return err
	}
	if first && s.o.ReadOnly {
		return ErrNoState
	}
	if s.keys, err = openKeyring(s.dir, s.o, first); err != nil {
		return err
	}
	s.auditKey = s.keys.auditKey()
	if s.noKey, err = s.decoyKey(); err != nil {
		return err
	}
	if first {
		if err := s.createDB(path); err != nil {
			return fmt.Errorf("making %s: %w", path, err)
		}
	}
	if err := s.openDB(path); err != nil {
		if errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%s: %w; the file is kept as it is: restore a backup of the whole folder, or move the folder away to begin anew", path, err)
		}
		return err
	}
	if s.o.ReadOnly {
		return nil
	}
	if marked, err := exists(s.path(markerName)); err != nil || !marked {
		if err = errors.Join(err, writeFile(s.path(markerName), []byte("tripod\n"))); err != nil {
			return err
		}
	}
	return s.tidyEpochs(context.Background())
}

// firstUse tells whether the database has to be made. One that is missing
// from a folder that was used before is a loss, not a beginning (A6).
func (s *Store) firstUse() (bool, error) {
	there, err := exists(s.path(dbName))
	if err != nil || there {
		return false, err
	}
	used, err := exists(s.path(markerName))
	if err != nil || !used {
		return err == nil, err
	}
	return false, fmt.Errorf("%s: %w: it is missing, though this folder has been used: restore a backup of the whole folder, or move the folder away to begin anew", s.path(dbName), ErrDamaged)
}

// createDB makes the database under another name first, so that it is whole
// as soon as it is there.
func (s *Store) createDB(path string) error {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, _, err := openBolt(fresh, false)
	if err != nil {
		return err
	}
	err = db.Update(func(b *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := b.CreateBucket(name); err != nil {
				return err
			}
		}
		meta := b.Bucket(bMeta)
		if err := meta.Put(keySchema, binary.BigEndian.AppendUint32(nil, schema)); err != nil {
			return err
		}
		t := &tx{b: b}
		s.putAuditHead(t, auditHead{})
		return errors.Join(t.err, meta.Put(keyMaster, s.keys.checkValue()))
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func (s *Store) openDB(path string) error {
	if err := checkFile(path); err != nil {
		return err
	}
	db, file, err := openBolt(path, s.o.ReadOnly)
	if err != nil {
		if file != nil {
			// A panic in bbolt leaks the file and its memory map, which keeps
			// bbolt's lock even when the file is closed.
			_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
			_ = file.Close()
		}
		return err
	}
	s.db = db
	s.commits = &committer{db: db, linger: defaultLinger}
	if err := s.upgrade(); err != nil {
		return err
	}
	if s.o.ReadOnly {
		return nil
	}
	return s.view(context.Background(), func(t *tx) error {
		if err := t.checkContent(); err != nil {
			return err
		}
		s.commits.open.Store(t.countOpen())
		return s.loadSignatures(t)
	})
}

// openBolt also returns the file that bbolt has opened, where it failed
// without closing it.
func openBolt(path string, readOnly bool) (db *bbolt.DB, file *os.File, err error) {
	err = guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:      lockPoll, // the folder's own lock is held already
			ReadOnly:     readOnly,
			FreelistType: bbolt.FreelistMapType,
			NoStatistics: true,
			OpenFile: func(name string, flag int, _ os.FileMode) (*os.File, error) {
				f, err := openPrivate(name, flag)
				file = f
				return f, err
			},
		})
		return err
	})
	return db, file, err
}

// upgrade makes sure that schema and master key fit, and brings a database that
// an older tripod has written up to this schema, in one transaction.
func (s *Store) upgrade() error {
	var have uint32
	err := s.view(context.Background(), func(t *tx) (err error) {
		if have, err = t.schema(); err != nil {
			return err
		}
		return s.keys.check(t.get(bMeta, keyMaster))
	})
	if err != nil || have == schema || s.o.ReadOnly {
		return err
	}
	return s.update(context.Background(), func(t *tx) error {
		for _, b := range newer {
			if _, err := t.b.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		if have < 2 {
			if err := t.indexPlaces(); err != nil {
				return err
			}
			s.putAuditHead(t, auditHead{})
		}
		if err := t.markLooks(); err != nil {
			return err
		}
		if err := t.indexChanges(); err != nil {
			return err
		}
		t.put(bMeta, keySchema, binary.BigEndian.AppendUint32(nil, schema))
		return nil
	})
}

// schema reads the database's version.
func (t *tx) schema() (uint32, error) {
	meta := t.b.Bucket(bMeta)
	if meta == nil {
		return 0, fmt.Errorf("%w: it is not a tripod database", ErrDamaged)
	}
	v := meta.Get(keySchema)
	if len(v) != 4 {
		return 0, fmt.Errorf("%w: it has no schema version", ErrDamaged)
	}
	have := binary.BigEndian.Uint32(v)
	if have > schema {
		return have, fmt.Errorf("%s has schema version %d, this tripod knows %d: use the newer tripod", t.b.DB().Path(), have, schema)
	}
	return have, nil
}
