// Package testkeys has private keys for tests: new ones, and fixed ones where they
// would take long to make or to open. They protect nothing.
package testkeys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

//go:embed rsa.pem
var rsaPEM []byte

// RSA is a key of 2048 bits: to generate one takes a second or more.
var RSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := ssh.ParseRawPrivateKey(rsaPEM)
	if err != nil {
		panic("testkeys: " + err.Error())
	}
	return key.(*rsa.PrivateKey)
})

// Passphrase opens Encrypted.
const Passphrase = "open sesame"

//go:embed encrypted.pem
var encrypted string

//go:embed encrypted.pub
var encryptedPublic string

// Encrypted is an Ed25519 key in OpenSSH form and its authorized_keys line. One round
// of bcrypt protects it: the usual sixteen take a second under the race detector.
func Encrypted() (private, public string) { return encrypted, strings.TrimSpace(encryptedPublic) }

// New is a key of the type "ed25519", "ecdsa" or "rsa"; RSA is always the same.
func New(kind string) (crypto.Signer, error) {
	switch kind {
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case "ecdsa":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		return RSA(), nil
	}
	return nil, fmt.Errorf("testkeys: key type %q: want ed25519, ecdsa or rsa", kind)
}

// Authorized returns key as one authorized_keys line without comment.
func Authorized(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
