package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"tripod/installer"
	"tripod/store/access"
	"tripod/store/audit"
	"tripod/store/files"
	"tripod/store/inventory"
	"tripod/store/kv"
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

func newStore(dir string, o Options, lock *os.File) *Store {
	var session [8]byte
	_, _ = rand.Read(session[:]) // never fails
	s := &Store{dir: dir, o: o, lock: lock, session: binary.BigEndian.Uint64(session[:])}
	s.close = sync.OnceValue(s.shut)
	return s
}

// Dir is the state folder.
func (s *Store) Dir() string { return s.dir }

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

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
