package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os/signal"
	"path/filepath"
	"syscall"

	"tripod/store/access"
	"tripod/store/audit"
	"tripod/store/disk"
	"tripod/store/files"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/tasks"
	"tripod/store/vault"
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
		return nil, disk.Error("opening "+dir, err)
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
	return nil, disk.Error("opening "+dir, err)
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
	if err := s.checkFormat(); err != nil {
		return err
	}
	if s.vault, err = vault.Open(s.dir, vault.Options{MasterKey: s.o.MasterKey, First: first, ReadOnly: s.o.ReadOnly}); err != nil {
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
	if marked, err := disk.Exists(s.path(markerName)); err != nil || !marked {
		if err = errors.Join(err, disk.Write(s.path(markerName), []byte("tripod\n"))); err != nil {
			return err
		}
	}
	ctx := context.Background()
	return errors.Join(s.TidyKeys(ctx), s.Purge(ctx, s.o.Clock()))
}

// firstUse tells whether the database has to be made. One that is missing
// from a folder that was used before is a loss, not a beginning (A6).
func (s *Store) firstUse() (bool, error) {
	there, err := disk.Exists(s.path(dbName))
	if err != nil || there {
		return false, err
	}
	used, err := disk.Exists(s.path(markerName))
	if err != nil || !used {
		return err == nil, err
	}
	return false, fmt.Errorf("%s: %w: it is missing, though this folder has been used: restore a backup of the whole folder, or move the folder away to begin anew", s.path(dbName), ErrDamaged)
}

func (s *Store) createDB(path string) error {
	return kv.Create(path, tables(), func(k *kv.Tx) error {
		k.Put(bMeta, keySchema, binary.BigEndian.AppendUint32(nil, schema))
		k.Put(bMeta, keyMaster, s.vault.MasterCheck())
		audit.Begin(k, s.auditKey())
		return nil
	})
}

func (s *Store) openDB(path string) error {
	db, err := kv.Open(path, tables(), s.o.ReadOnly)
	if err != nil {
		return err
	}
	s.db = db
	err = db.View(context.Background(), func(k *kv.Tx) error {
		if err := checkSchema(k, path); err != nil {
			return err
		}
		if err := s.vault.CheckMaster(k.Get(bMeta, keyMaster)); err != nil || s.o.ReadOnly {
			return err
		}
		return db.Check(k)
	})
	if err != nil {
		return err
	}
	s.Trail = audit.New(db, s.auditKey(), s.o.Clock)
	s.Inventory = inventory.New(db, s.vault, inventory.Options{Clock: s.o.Clock, Logger: s.o.Logger, Note: s.Append})
	s.Files = files.New(s.dir, db, files.Options{Clock: s.o.Clock, LogCap: s.o.LogCap, Note: s.Append, Users: tasks.UsersOf})
	s.Access, err = access.New(context.Background(), db, s.vault, s.Append, s.o.Clock, s.o.Logger)
	return err
}

// auditKey is that of the audit log's hashes.
func (s *Store) auditKey() []byte { return s.vault.Derive("audit") }

// checkSchema refuses what another version has written.
func checkSchema(t *kv.Tx, path string) error {
	if !t.Has(bMeta) {
		return fmt.Errorf("%w: it is not a tripod database", ErrDamaged)
	}
	v := t.Get(bMeta, keySchema)
	if len(v) != 4 {
		return fmt.Errorf("%w: it has no schema version", ErrDamaged)
	}
	have := binary.BigEndian.Uint32(v)
	if have > schema {
		return fmt.Errorf("%s has schema version %d, this tripod knows %d: use the newer tripod", path, have, schema)
	}
	if have < schema {
		return earlierFormat(filepath.Dir(path))
	}
	return nil
}

// oldKeysDir is where earlier formats had the keys of batches.
const oldKeysDir = "epochs"

// checkFormat refuses a folder of an earlier format before anything is made in it.
func (s *Store) checkFormat() error {
	old, err := disk.Exists(s.path(oldKeysDir))
	if err != nil || !old {
		return err
	}
	return earlierFormat(s.dir)
}

func earlierFormat(dir string) error {
	return fmt.Errorf("%s was written by an earlier tripod in a format that this one does not read; nothing in it was changed: "+
		"let its open tasks end with that tripod (or cancel them), then move the folder away, start anew, and add tokens, keys, hosts and packages again", dir)
}
