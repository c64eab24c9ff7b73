package sshtest

import (
	"fmt"

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
		key, err := testkeys.New(t)
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
