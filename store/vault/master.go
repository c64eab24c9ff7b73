package vault

import (
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"tripod/store/disk"
)

// loadMaster reads the master key, which it makes at first use.
func loadMaster(path string, o Options) ([]byte, error) {
	err := disk.CheckFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if o.First && !o.ReadOnly {
			key := make([]byte, keySize)
			_, _ = rand.Read(key) // never fails
			return key, disk.Write(path, key)
		}
		err = fmt.Errorf("the master key %s is missing: "+
			"without it the stored credentials cannot be opened; put it back", path)
	}
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(path)
	if err == nil && len(key) != keySize {
		err = fmt.Errorf("the master key %s must be exactly %d random bytes: "+
			"restore a backup of the whole folder", path, keySize)
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
