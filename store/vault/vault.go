// Package vault keeps secrets that can be erased for good. It knows nothing of hosts,
// batches or the database.
//
// Each secret is sealed under a key of its own. The keys are in slots of a fixed size in
// one file beside the database; the caller stores the sealed values. Erasing a secret
// overwrites its slot: sealed values that a database has deleted stay readable in its
// free pages and in copies of it, the key does not. A key is made of its slot and of the
// master key, so the file of slots alone opens nothing either.
package vault

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"

	"tripod/store/disk"
)

const (
	// MasterName is the master key's file where no other is named.
	MasterName = "master.key"
	// KeysName is the file of slots.
	KeysName = "login.keys"
)

var (
	// ErrForgotten: the key of a sealed value has been overwritten.
	ErrForgotten = errors.New("its key has been erased")
	// ErrAltered: a sealed value was altered or moved.
	ErrAltered = errors.New("a sealed value does not open: it was altered or moved, or the key is another one")
)

const keySize = chacha20poly1305.KeySize

// Vault is open for one process. Its methods can be called from many goroutines.
type Vault struct {
	master   []byte
	readOnly bool
	slots    *slotFile

	mu     sync.RWMutex // of what follows: held for reading while keys are used
	closed bool
}

// Options of Open.
type Options struct {
	// MasterKey is the path of the master key; empty: MasterName in the folder.
	MasterKey string
	// First makes what is not there.
	First bool
	// ReadOnly opens secrets, and neither seals nor forgets any.
	ReadOnly bool
}

// Open opens the vault in a folder.
func Open(dir string, o Options) (*Vault, error) {
	master, err := loadMaster(dir, o)
	if err != nil {
		return nil, err
	}
	slots, err := openSlots(filepath.Join(dir, KeysName), o)
	if err != nil {
		return nil, err
	}
	return &Vault{master: master, readOnly: o.ReadOnly, slots: slots}, nil
}

// Close forgets what is in memory. Everything after it fails.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	clear(v.master)
	return v.slots.file.Close()
}

// use is called before keys are used, and the returned function afterwards.
func (v *Vault) use() (done func(), err error) {
	v.mu.RLock()
	if v.closed {
		v.mu.RUnlock()
		return nil, disk.Error("using a key", os.ErrClosed)
	}
	return v.mu.RUnlock, nil
}

// derive makes a key of the master key and something else.
func (v *Vault) derive(purpose string, more ...byte) []byte {
	h := hmac.New(sha256.New, v.master)
	_, _ = h.Write([]byte(purpose))
	_, _ = h.Write(more)
	return h.Sum(nil)
}

// Derive makes a key of the master key that is good for one purpose only.
func (v *Vault) Derive(purpose string) []byte { return v.derive("tripod/1 " + purpose) }

// seal encrypts plain under key, bound to its place. A nonce of 24 random bytes
// may be drawn as often as one likes.
func seal(key, plain, place []byte) []byte {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err) // the key's length is fixed in this package
	}
	out := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	_, _ = rand.Read(out) // never fails
	return aead.Seal(out, out, plain, place)
}

func unseal(key, sealed, place []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return nil, ErrAltered
	}
	nonce, box := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, box, place)
	if err != nil {
		return nil, ErrAltered
	}
	return plain, nil
}
