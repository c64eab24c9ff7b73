// Package testkeys has fixed private keys for tests that would take long to make, or
// long to open. They protect nothing.
package testkeys

import (
	"crypto/rsa"
	_ "embed"
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
