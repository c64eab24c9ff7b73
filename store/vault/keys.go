package vault

import (
	"crypto/hmac"
	"encoding/binary"

	"tripod/store/disk"
)

// A sealed value begins with the number of its key's slot and a fingerprint of the
// key, so that one whose slot has another key by now is known to be forgotten.
const (
	fingerprintSize = 8
	refSize         = 4 + fingerprintSize
)

// Key seals one secret. It is on disk.
type Key struct {
	ref [refSize]byte
	key []byte
}

func (v *Vault) key(number uint32, s slot) Key {
	k := Key{key: v.derive("tripod/1 login key", s[:]...)}
	binary.BigEndian.PutUint32(k.ref[:], number)
	copy(k.ref[4:], v.fingerprint(s))
	return k
}

func (v *Vault) fingerprint(s slot) []byte {
	return v.derive("tripod/1 login key fingerprint", s[:]...)[:fingerprintSize]
}

// Ref names the key to Forget and ForgetAllBut.
func (k Key) Ref() []byte { return k.ref[:] }

// Ref names the key of a sealed value.
func Ref(sealed []byte) []byte { return sealed[:min(refSize, len(sealed))] }

// Seal encrypts a secret, bound to its place: it opens nowhere else.
func (k Key) Seal(place, secret []byte) []byte {
	return append(k.ref[:len(k.ref):len(k.ref)], seal(k.key, secret, place)...)
}

// NewKeys makes n keys, each for one secret, on disk when it returns, at the cost of
// one sync. One that is not used is to be forgotten.
func (v *Vault) NewKeys(n int) ([]Key, error) {
	if v.readOnly {
		return nil, disk.ErrReadOnly
	}
	if n == 0 {
		return nil, nil
	}
	done, err := v.use()
	if err != nil {
		return nil, err
	}
	defer done()
	numbers, slots, err := v.slots.fill(n)
	if err != nil {
		return nil, disk.Error("writing login keys", err)
	}
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = v.key(numbers[i], slots[i])
		clear(slots[i][:])
	}
	return keys, nil
}

// Open returns the secret that was sealed for the place. ErrForgotten, ErrAltered.
func (v *Vault) Open(place, sealed []byte) ([]byte, error) {
	if len(sealed) < refSize {
		return nil, ErrAltered
	}
	done, err := v.use()
	if err != nil {
		return nil, err
	}
	defer done()
	s, err := v.slots.read(slotOf(sealed))
	if err != nil {
		return nil, disk.Error("reading a login key", err)
	}
	defer clear(s[:])
	if !v.made(sealed, s) {
		return nil, ErrForgotten
	}
	return unseal(v.key(slotOf(sealed), s).key, sealed[refSize:], place)
}

func slotOf(ref []byte) uint32 { return binary.BigEndian.Uint32(ref) }

// made: the key that is named is the one that is in the slot now.
func (v *Vault) made(ref []byte, s slot) bool {
	return hmac.Equal(ref[4:refSize], v.fingerprint(s))
}

// Forget makes secrets unreadable for good, named by their keys or by the sealed
// values themselves; on disk when it returns nil, at the cost of one sync. Those
// that are forgotten already are left out. What could not be overwritten, now
// or before, is tried again at the next call.
func (v *Vault) Forget(refs ...[]byte) error {
	if v.readOnly {
		return disk.ErrReadOnly
	}
	done, err := v.use()
	if err != nil {
		return err
	}
	defer done()
	var numbers []uint32
	var named [][]byte
	for _, ref := range refs {
		if len(ref) >= refSize {
			numbers, named = append(numbers, slotOf(ref)), append(named, ref)
		}
	}
	err = v.slots.erase(numbers, func(i int, s slot) bool { return v.made(named[i], s) })
	return disk.Error("erasing login keys", err)
}

// ForgetAllBut forgets every key but those that are named: what a crash has left
// behind. Nobody else may use the vault meanwhile.
func (v *Vault) ForgetAllBut(refs ...[]byte) error {
	if v.readOnly {
		return disk.ErrReadOnly
	}
	done, err := v.use()
	if err != nil {
		return err
	}
	defer done()
	needed := map[uint32]bool{}
	for _, ref := range refs {
		if len(ref) < refSize {
			continue
		}
		s, err := v.slots.read(slotOf(ref))
		if err != nil {
			return disk.Error("reading a login key", err)
		}
		if v.made(ref, s) {
			needed[slotOf(ref)] = true
		}
	}
	var rest []uint32
	for number := uint32(1); number < v.slots.count; number++ {
		if !needed[number] {
			rest = append(rest, number)
		}
	}
	err = v.slots.erase(rest, func(int, slot) bool { return true })
	return disk.Error("erasing login keys", err)
}

// Count is how many keys there are.
func (v *Vault) Count() int {
	v.slots.mu.Lock()
	defer v.slots.mu.Unlock()
	return int(v.slots.count) - 1 - len(v.slots.free) - len(v.slots.owed)
}
