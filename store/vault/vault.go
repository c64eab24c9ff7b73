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
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"

	"tripod/store/disk"
)

const (
	// MasterName is the master key's file.
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

const (
	keySize = chacha20poly1305.KeySize
	// A sealed value begins with the number of its key's slot and a fingerprint of the
	// key, so that one whose slot has another key by now is known to be forgotten.
	refSize = 4 + 8
)

// Vault is open for one process. Its methods can be called from many goroutines.
type Vault struct {
	master   []byte
	readOnly bool
	slots    *slotFile
}

// Options of Open.
type Options struct {
	// First makes what is not there.
	First bool
	// ReadOnly opens secrets, and neither seals nor forgets any.
	ReadOnly bool
}

// Open opens the vault in a folder.
func Open(dir string, o Options) (*Vault, error) {
	master, err := loadMaster(filepath.Join(dir, MasterName), o)
	if err != nil {
		return nil, err
	}
	slots, err := openSlots(filepath.Join(dir, KeysName), o)
	if err != nil {
		return nil, err
	}
	return &Vault{master, o.ReadOnly, slots}, nil
}

// Close ends the use of login keys.
func (v *Vault) Close() error {
	if err := v.slots.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (v *Vault) derive(purpose string, more ...byte) []byte {
	h := hmac.New(sha256.New, v.master)
	_, _ = h.Write([]byte(purpose))
	_, _ = h.Write(more)
	return h.Sum(nil)
}

// Derive makes a key of the master key that is good for one purpose only.
func (v *Vault) Derive(purpose string) []byte { return v.derive("tripod/1 " + purpose) }

// Key seals one secret. It is on disk.
type Key struct {
	ref [refSize]byte
	key []byte
}

func (v *Vault) key(number uint32, s slot) Key {
	k := Key{key: v.derive("tripod/1 login key", s[:]...)}
	binary.BigEndian.PutUint32(k.ref[:], number)
	copy(k.ref[4:], v.derive("tripod/1 login key fingerprint", s[:]...))
	return k
}

// Ref names the key to Forget and ForgetAllBut.
func (k Key) Ref() []byte { return k.ref[:] }

// Ref names the key of a sealed value.
func Ref(sealed []byte) []byte { return sealed[:min(refSize, len(sealed))] }

// isOf: the key that is named is made of what is in its slot now.
func (v *Vault) isOf(ref []byte, s slot) bool {
	return hmac.Equal(ref[:refSize], v.key(slotOf(ref), s).Ref())
}

func slotOf(ref []byte) uint32 { return binary.BigEndian.Uint32(ref) }

// NewKeys makes n keys, each for one secret, on disk when it returns, at the cost of
// one sync. One that is not used is to be forgotten.
func (v *Vault) NewKeys(n int) ([]Key, error) {
	if v.readOnly {
		return nil, disk.ErrReadOnly
	}
	if n == 0 {
		return nil, nil
	}
	numbers, slots, err := v.slots.fill(n)
	if err != nil {
		return nil, disk.Error("writing login keys", err)
	}
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = v.key(numbers[i], slots[i])
	}
	clear(slots)
	return keys, nil
}

// Seal encrypts a secret, bound to its place: it opens nowhere else.
func (k Key) Seal(place, secret []byte) []byte {
	return append(k.ref[:len(k.ref):len(k.ref)], seal(k.key, secret, place)...)
}

// Open returns the secret that was sealed for the place. ErrForgotten, ErrAltered.
func (v *Vault) Open(place, sealed []byte) ([]byte, error) {
	if len(sealed) < refSize {
		return nil, ErrAltered
	}
	s, err := v.slots.read(slotOf(sealed))
	if err != nil {
		return nil, disk.Error("reading a login key", err)
	}
	defer clear(s[:])
	if !v.isOf(sealed, s) {
		return nil, ErrForgotten
	}
	return unseal(v.key(slotOf(sealed), s).key, sealed[refSize:], place)
}

// Forget makes secrets unreadable for good, named by their keys or by the sealed
// values themselves; on disk when it returns nil, at the cost of one sync. Those
// that are forgotten already are left out. What could not be overwritten, now
// or before, is tried again at the next call. What was forgotten when the disk
// failed is overwritten by the next ForgetAllBut.
func (v *Vault) Forget(refs ...[]byte) error {
	if v.readOnly {
		return disk.ErrReadOnly
	}
	var numbers []uint32
	var named [][]byte
	for _, ref := range refs {
		if len(ref) >= refSize {
			numbers, named = append(numbers, slotOf(ref)), append(named, ref)
		}
	}
	err := v.slots.erase(numbers, func(i int, s slot) bool { return v.isOf(named[i], s) })
	return disk.Error("erasing login keys", err)
}

// ForgetAllBut forgets every key but those that are named: what a crash has left
// behind. Nobody else may use the vault meanwhile.
func (v *Vault) ForgetAllBut(refs ...[]byte) error {
	if v.readOnly {
		return disk.ErrReadOnly
	}
	needed := map[uint32]bool{}
	for _, ref := range refs {
		if len(ref) < refSize {
			continue
		}
		s, err := v.slots.read(slotOf(ref))
		if err != nil {
			return disk.Error("reading a login key", err)
		}
		if v.isOf(ref, s) {
			needed[slotOf(ref)] = true
		}
	}
	return disk.Error("erasing login keys", v.slots.eraseAllBut(needed))
}

// Broken tells that keys are neither made nor erased until the vault is opened again:
// nobody knows what the disk holds.
func (v *Vault) Broken() error {
	_, err := v.slots.flush.begin()
	return disk.Error("login keys", err)
}

// Count is how many keys there are.
func (v *Vault) Count() int {
	v.slots.mu.Lock()
	defer v.slots.mu.Unlock()
	return int(v.slots.count) - 1 - len(v.slots.free) - len(v.slots.owed)
}

// seal encrypts plain under key, bound to its place. A nonce of 24 random bytes
// may be drawn as often as one likes.
func seal(key, plain, place []byte) []byte {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err) // the key's length is fixed in this package
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, plain, place)
}

func unseal(key, sealed, place []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil || len(sealed) < chacha20poly1305.NonceSizeX {
		return nil, ErrAltered
	}
	plain, err := aead.Open(nil, sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:], place)
	if err != nil {
		return nil, ErrAltered
	}
	return plain, nil
}
