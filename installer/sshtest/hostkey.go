package sshtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"tripod/installer/sshtest/testkeys"
)

// newHostKeys makes one key of each type; none named: ed25519. RSA is always the same.
func newHostKeys(types []string) ([]ssh.Signer, error) {
	if len(types) == 0 {
		types = []string{"ed25519"}
	}
	var keys []ssh.Signer
	for _, t := range types {
		key, err := newKey(t)
		if err != nil {
			return nil, err
		}
		signer, err := ssh.NewSignerFromSigner(key)
		if err != nil {
			return nil, fmt.Errorf("sshtest: %s host key: %w", t, err)
		}
		keys = append(keys, signer)
	}
	return keys, nil
}

func newKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case "ecdsa":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		return testkeys.RSA(), nil
	}
	return nil, fmt.Errorf("sshtest: key type %q: want ed25519, ecdsa or rsa", kind)
}

// authorized returns key as one authorized_keys line without comment.
func authorized(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
