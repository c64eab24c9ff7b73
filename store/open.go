package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os/signal"
	"path/filepath"
	"sync"
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

var (
	// ErrLocked: another process uses the folder. See LockedError.
	ErrLocked = errors.New("the state folder is in use")
	// ErrNoState: opened read-only, but the folder has never been used.
	ErrNoState = errors.New("there is no tripod state yet")
)

const earlier = "%s was written by an earlier tripod in a format that this one does not read; nothing in it was changed: " +
	"let its open tasks end with that tripod (or cancel them), then move the folder away, start with a new one, and add tokens, keys, hosts and packages again"

// Open opens the state folder dir, and makes it at first use. The process no longer dies of SIGXFSZ.
//
// Errors: LockedError if another process uses it, ErrNoState if there is nothing to read, disk.ErrDamaged if
// the database is torn, truncated or missing; others name the file. Nothing is changed then.
func Open(dir string, o Options) (*Store, error) {
	s, err := open(dir, o.withDefaults())
	if err == nil || errors.Is(err, ErrLocked) || errors.Is(err, ErrNoState) {
		return s, err
	}
	return nil, disk.Error("opening "+dir, err)
}

func open(dir string, o Options) (*Store, error) {
	signal.Ignore(syscall.SIGXFSZ)
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	// The folder itself may be a link (systemd makes one); what is in it not.
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
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
	var session [8]byte
	_, _ = rand.Read(session[:]) // never fails
	s := &Store{dir: dir, o: o, lock: lock, session: binary.BigEndian.Uint64(session[:])}
	s.close = sync.OnceValue(s.shut)
	if err := s.openAll(context.Background()); err != nil {
		if errors.Is(err, disk.ErrDamaged) {
			err = fmt.Errorf("%s: %w; the file is kept as it is: restore a backup of the whole folder, or move the folder away to start with a new one", s.path(dbName), err)
		}
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) openAll(ctx context.Context) error {
	first, err := s.firstUse()
	if err == nil && first && s.o.ReadOnly {
		err = ErrNoState
	}
	if err == nil && !first {
		err = s.openDB(ctx) // what is of another format is refused before anything is made
	}
	if err != nil {
		return err
	}
	if s.vault, err = vault.Open(s.dir, vault.Options{First: first, ReadOnly: s.o.ReadOnly}); err != nil {
		return err
	}
	auditKey := s.vault.Derive("audit")
	if first {
		err = kv.Create(s.path(dbName), tables, func(k *kv.Tx) error {
			k.Put(bMeta, keySchema, binary.BigEndian.AppendUint32(nil, schema))
			k.Put(bMeta, keyMaster, s.vault.MasterCheck())
			audit.Begin(k, auditKey)
			return nil
		})
		if err != nil {
			return fmt.Errorf("making %s: %w", s.path(dbName), err)
		}
		if err := s.openDB(ctx); err != nil {
			return err
		}
	}
	err = s.db.View(ctx, func(k *kv.Tx) error {
		if err := s.vault.CheckMaster(k.Get(bMeta, keyMaster)); err != nil || s.o.ReadOnly {
			return err
		}
		return s.db.Check(k)
	})
	if err != nil {
		return err
	}
	s.Trail = audit.New(s.db, auditKey, s.o.Clock)
	room := kv.Room{DB: s.db, Clock: s.o.Clock, Logger: s.o.Logger, Note: s.Append}
	s.Inventory = inventory.New(room, s.vault)
	s.Files = files.New(room, files.Options{Dir: s.dir, LogCap: s.o.LogCap, Users: tasks.UsersOf})
	if s.Access, err = access.New(ctx, room, s.vault); err != nil || s.o.ReadOnly {
		return err
	}
	marked, err := disk.Exists(s.path(markerName))
	if err == nil && !marked {
		err = disk.Write(s.path(markerName), []byte("tripod\n"))
	}
	return errors.Join(err, s.TidyKeys(ctx), s.Purge(ctx, s.o.Clock()))
}

// firstUse tells whether the database has to be made. One that is missing
// from a folder that was used before is a loss, not a beginning (A6).
func (s *Store) firstUse() (bool, error) {
	there, err := disk.Exists(s.path(dbName))
	if err != nil || there {
		return false, err
	}
	used, err := disk.Exists(s.path(markerName))
	if used {
		err = fmt.Errorf("%w: it is missing, though this folder has been used", disk.ErrDamaged)
	}
	return !used, err
}

func (s *Store) openDB(ctx context.Context) (err error) {
	if s.db, err = kv.Open(s.path(dbName), tables, s.o.ReadOnly); err != nil {
		return err
	}
	return s.db.View(ctx, func(t *kv.Tx) error {
		if !t.Has(bMeta) {
			return fmt.Errorf("%w: it is not a tripod database", disk.ErrDamaged)
		}
		v := t.Get(bMeta, keySchema)
		if len(v) != 4 {
			return fmt.Errorf("%w: it has no schema version", disk.ErrDamaged)
		}
		switch have := binary.BigEndian.Uint32(v); {
		case have > schema:
			return fmt.Errorf("%s has schema version %d, this tripod knows %d: use the newer tripod", s.path(dbName), have, schema)
		case have < schema:
			return fmt.Errorf(earlier, s.dir)
		}
		return nil
	})
}
