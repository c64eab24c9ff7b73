package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"tripod/installer"
)

// seal encrypts plain under key, bound to its place. A nonce of 24 random
// bytes may be drawn as often as one likes.
func seal(key, plain, place []byte) []byte {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err) // the key's length is fixed in this package
	}
	out := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	_, _ = rand.Read(out) // never fails
	return aead.Seal(out, out, plain, place)
}

var errUnsealed = errors.New("a sealed value does not open: it was altered or moved, or the key is another one")

func unseal(key, sealed, place []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return nil, errUnsealed
	}
	nonce, box := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, box, place)
	if err != nil {
		return nil, errUnsealed
	}
	return plain, nil
}

// place is what a sealed credential is bound to.
func place(epoch, project, host, field string) []byte {
	return join("tripod/1", epoch, project, host, field)
}

// padding hides how long a password is, up to 64 bytes.
const padding = 64

// packCredentials encodes them byte for byte, with lengths.
func packCredentials(c installer.Credentials) []byte {
	values := []installer.Secret{c.Password, c.PrivateKey, c.Passphrase, c.SudoPassword}
	for _, l := range c.Via {
		values = append(values, l.Password, l.PrivateKey, l.Passphrase)
	}
	packed := binary.AppendUvarint(nil, uint64(len(c.Via)))
	for _, v := range values {
		packed = binary.AppendUvarint(packed, uint64(len(v.Reveal())))
		packed = append(packed, v.Reveal()...)
	}
	return append(packed, make([]byte, (padding-len(packed)%padding)%padding)...)
}

func unpackCredentials(packed []byte) (c installer.Credentials, err error) {
	defer func() {
		if err != nil {
			c = installer.Credentials{}
		}
	}()
	number := func() uint64 {
		n, used := binary.Uvarint(packed)
		if used <= 0 || n > uint64(len(packed)) {
			err = fmt.Errorf("sealed credentials: bad length")
			return 0
		}
		packed = packed[used:]
		return n
	}
	secret := func() installer.Secret {
		n := number()
		if err != nil || n > uint64(len(packed)) {
			err = fmt.Errorf("sealed credentials: cut short")
			return installer.Secret{}
		}
		s := installer.NewSecret(string(packed[:n]))
		packed = packed[n:]
		return s
	}
	login := func() installer.Login {
		return installer.Login{Password: secret(), PrivateKey: secret(), Passphrase: secret()}
	}

	hops := number()
	c.Login = login()
	c.SudoPassword = secret()
	for range hops {
		if err != nil {
			return c, err
		}
		c.Via = append(c.Via, login())
	}
	return c, err
}
