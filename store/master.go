package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const keySize = 32

// loadMaster reads the master key. Its own place is used where none is named;
// there it is made at first use.
func loadMaster(dir string, o Options, first bool) ([]byte, error) {
	path, own := o.MasterKey, o.MasterKey == ""
	if own {
		path = filepath.Join(dir, masterName)
	}
	key, err := readMaster(path, own)
	if errors.Is(err, fs.ErrNotExist) && own && first {
		key = make([]byte, keySize)
		_, _ = rand.Read(key) // never fails
		return key, writeFile(path, key)
	}
	if errors.Is(err, fs.ErrNotExist) && own {
		return nil, fmt.Errorf("the master key %s is missing: without it the stored credentials cannot be opened; put it back, or name its place", path)
	}
	return key, err
}

func readMaster(path string, own bool) ([]byte, error) {
	if err := checkMasterMode(path, own); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	key, err := io.ReadAll(io.LimitReader(f, keySize+1))
	if err != nil {
		return nil, err
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("the master key %s must be exactly %d random bytes; make one with: head -c %d /dev/urandom", path, keySize, keySize)
	}
	return key, nil
}

// checkMasterMode is as strict with a named key as with our own, except that
// its path may be a link, and that a systemd credential's access list shows
// as group mode.
func checkMasterMode(path string, own bool) error {
	if own {
		return checkPrivate(path, false)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if creds := os.Getenv("CREDENTIALS_DIRECTORY"); creds != "" && strings.HasPrefix(path, creds+"/") {
		return nil
	}
	return checkPrivate(real, false)
}
