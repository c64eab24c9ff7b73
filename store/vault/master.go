package vault

import (
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tripod/store/disk"
)

// loadMaster reads the master key. Its own place is used where none is named;
// there it is made at first use.
func loadMaster(dir string, o Options) ([]byte, error) {
	path, own := o.MasterKey, o.MasterKey == ""
	if own {
		path = filepath.Join(dir, MasterName)
	}
	key, err := readMaster(path, own)
	if errors.Is(err, fs.ErrNotExist) && own && o.First && !o.ReadOnly {
		key = make([]byte, keySize)
		_, _ = rand.Read(key) // never fails
		return key, disk.Write(path, key)
	}
	if errors.Is(err, fs.ErrNotExist) && own {
		return nil, fmt.Errorf("the master key %s is missing: without it the stored credentials cannot be opened; put it back, or name its place", path)
	}
	return key, err
}

// readMaster is as strict with a named key as with our own, except that its path may
// be a link, and that a systemd credential's access list shows as group mode.
func readMaster(path string, own bool) ([]byte, error) {
	file, err := path, error(nil)
	if !own {
		file, err = filepath.EvalSymlinks(path)
	}
	creds := os.Getenv("CREDENTIALS_DIRECTORY")
	if err == nil && (own || creds == "" || !strings.HasPrefix(path, creds+"/")) {
		err = disk.CheckFile(file)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	key, err := io.ReadAll(io.LimitReader(f, keySize+1))
	if err == nil && len(key) != keySize {
		err = fmt.Errorf("the master key %s must be exactly %d random bytes; make one with: head -c %d /dev/urandom", path, keySize, keySize)
	}
	return key, err
}

// MasterCheck is a value to store, by which CheckMaster notices another master key.
func (v *Vault) MasterCheck() []byte { return v.Derive("check of the master key") }

// CheckMaster fails unless the value was made with this master key.
func (v *Vault) CheckMaster(value []byte) error {
	if !hmac.Equal(value, v.MasterCheck()) {
		return errors.New("the master key is not the one that this state was made with: nothing is opened with a wrong key")
	}
	return nil
}

// SealWithMaster seals under the master key itself, bound to place: for what lives
// as long as the state does.
func (v *Vault) SealWithMaster(place, secret []byte) []byte { return seal(v.master, secret, place) }

// OpenWithMaster opens what SealWithMaster has sealed.
func (v *Vault) OpenWithMaster(place, sealed []byte) ([]byte, error) {
	return unseal(v.master, sealed, place)
}
