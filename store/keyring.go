package store

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"tripod/installer"
)

// keyring holds the master key and opens epoch keys: one key per batch, in a
// file of its own, wrapped by the master key.
type keyring struct {
	dir    string // of the epoch files
	master []byte

	mu     sync.Mutex
	open   map[string][]byte
	closed bool
}

var (
	checkPlace = []byte("tripod/1 master key")
	checkText  = []byte("this is the right key")
)

func openKeyring(dir string, o Options, first bool) (*keyring, error) {
	k := &keyring{dir: filepath.Join(dir, epochsDir), open: map[string][]byte{}}
	var err error
	k.master, err = loadMaster(dir, o, first && !o.ReadOnly)
	return k, err
}

// checkValue is stored in the database to notice a wrong master key.
func (k *keyring) checkValue() []byte { return seal(k.master, checkText, checkPlace) }

func (k *keyring) check(value []byte) error {
	text, err := unseal(k.master, value, checkPlace)
	if err != nil || !bytes.Equal(text, checkText) {
		return errors.New("the master key is not the one that this state was made with: nothing is opened with a wrong key")
	}
	return nil
}

func (k *keyring) path(epoch string) string { return filepath.Join(k.dir, epoch+".key") }

func wrapPlace(epoch string) []byte { return join("tripod/1 epoch", epoch) }

// sealMaster seals under the master key itself, bound to place: for what lives
// as long as the state does.
func (k *keyring) sealMaster(plain, place []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, storageError("sealing", os.ErrClosed)
	}
	return seal(k.master, plain, place), nil
}

func (k *keyring) unsealMaster(sealed, place []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, os.ErrClosed
	}
	return unseal(k.master, sealed, place)
}

// create makes the key of a new epoch; on disk when it returns. ErrExists if
// the epoch has one.
func (k *keyring) create(epoch string) ([]byte, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	wrapped, err := k.reserve(epoch, key)
	if err != nil {
		return nil, err
	}
	if err := writeFile(k.path(epoch), wrapped); err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.open, epoch)
		return nil, storageError("writing an epoch key", err)
	}
	return bytes.Clone(key), nil
}

// reserve takes the epoch's name, so that no key is ever overwritten, and
// wraps its key.
func (k *keyring) reserve(epoch string, key []byte) (wrapped []byte, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, storageError("writing an epoch key", os.ErrClosed)
	}
	_, taken := k.open[epoch]
	if there, err := exists(k.path(epoch)); err != nil {
		return nil, storageError("writing an epoch key", err)
	} else if taken || there {
		return nil, fmt.Errorf("epoch %s: %w", epoch, ErrExists)
	}
	k.open[epoch] = key
	return seal(k.master, key, wrapPlace(epoch)), nil
}

// key returns a copy of an epoch's key, or fs.ErrNotExist if it was erased.
func (k *keyring) key(epoch string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.open[epoch]; ok {
		return bytes.Clone(key), nil
	}
	if k.closed {
		return nil, os.ErrClosed
	}
	path := k.path(epoch)
	if err := checkPrivate(path, false); err != nil {
		return nil, err
	}
	wrapped, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := unseal(k.master, wrapped, wrapPlace(epoch))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	k.open[epoch] = key
	return bytes.Clone(key), nil
}

// erase makes everything that was ever sealed in the epoch unreadable:
// overwrite, sync, unlink, sync. An epoch that is gone already is fine.
func (k *keyring) erase(epoch string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.open[epoch])
	delete(k.open, epoch)
	path := k.path(epoch)
	f, err := openPrivate(path, os.O_WRONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return storageError("erasing an epoch key", err)
	}
	info, err := f.Stat()
	if err == nil {
		_, err = io.CopyN(f, rand.Reader, info.Size())
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Remove(path)
	}
	if err == nil {
		err = syncDir(k.dir)
	}
	return storageError("erasing an epoch key", err)
}

// files lists the epochs that have a key file, and leftovers of half-written
// ones.
func (k *keyring) files() (epochs, leftovers []string, err error) {
	entries, err := os.ReadDir(k.dir)
	for _, e := range entries {
		if epoch, ok := strings.CutSuffix(e.Name(), ".key"); ok {
			epochs = append(epochs, epoch)
		} else if strings.HasSuffix(e.Name(), ".key.tmp") {
			leftovers = append(leftovers, filepath.Join(k.dir, e.Name()))
		}
	}
	return epochs, leftovers, err
}

func (k *keyring) forgetAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	clear(k.master)
	for _, key := range k.open {
		clear(key)
	}
	clear(k.open)
}

// missing is what the engine is told when a credential is gone.
func missing(format string, args ...any) error {
	return installer.Fail(installer.KindCredentialMissing, format, args...)
}

func isMissing(err error) bool {
	f, ok := errors.AsType[*installer.Failure](err)
	return ok && f.Kind == installer.KindCredentialMissing
}
