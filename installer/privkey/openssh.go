package privkey

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/ssh"
)

const (
	// maxRounds of bcrypt; ssh-keygen writes 16 or 24, and each takes some
	// milliseconds of CPU.
	maxRounds = 512
	// maxPrivateSection holds an RSA key of 8192 bits with a long comment. It
	// bounds the numbers in an encrypted section, which cannot be looked at
	// before it is opened.
	maxPrivateSection = 8 << 10
)

// parseOpenSSH reads the form of ssh-keygen (PROTOCOL.key).
func parseOpenSSH(block *pem.Block, passphrase []byte) (any, error) {
	encrypted, err := openSSHHeader(block.Bytes)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(block)
	if !encrypted {
		key, err := ssh.ParseRawPrivateKey(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		return key, nil
	}
	if len(passphrase) == 0 {
		return nil, ErrPassphraseNeeded
	}
	key, err := ssh.ParseRawPrivateKeyWithPassphrase(text, passphrase)
	switch {
	case errors.Is(err, x509.IncorrectPasswordError):
		return nil, ErrPassphraseWrong
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return key, nil
}

// openSSHHeader reads what can be read without the passphrase, refuses what
// would be expensive or useless to open, and tells whether it is encrypted.
func openSSHHeader(raw []byte) (bool, error) {
	rest, found := bytes.CutPrefix(raw, []byte("openssh-key-v1\x00"))
	in := cryptobyte.String(rest)
	var cipher, kdf, options, public, private cryptobyte.String
	var keys uint32
	if !found || !field(&in, &cipher) || !field(&in, &kdf) || !field(&in, &options) ||
		!in.ReadUint32(&keys) || keys != 1 || !field(&in, &public) || !field(&in, &private) {
		return false, errDamaged
	}
	if err := checkPublic(public); err != nil {
		return false, err
	}
	if len(private) > maxPrivateSection {
		return false, errors.New("the private key is larger than any that is accepted")
	}
	if string(cipher) == "none" {
		return false, checkPrivate(private)
	}
	if string(cipher) != "aes256-ctr" && string(cipher) != "aes256-cbc" {
		return false, errors.New("the private key is encrypted with a cipher that is not supported: write it anew with `ssh-keygen -p -Z aes256-ctr -f KEY`")
	}
	var salt cryptobyte.String
	var rounds uint32
	if string(kdf) != "bcrypt" || !field(&options, &salt) || !options.ReadUint32(&rounds) {
		return false, errDamaged
	}
	if rounds > maxRounds {
		return false, fmt.Errorf("the private key's passphrase takes %d rounds to check, at most %d are accepted: write it anew with `ssh-keygen -p -a 24 -f KEY`", rounds, maxRounds)
	}
	return true, nil
}

// checkPublic looks at the public half, which stands in front in clear text.
func checkPublic(public cryptobyte.String) error {
	var kind, exponent, modulus cryptobyte.String
	if !field(&public, &kind) {
		return errDamaged
	}
	switch string(kind) {
	case ssh.KeyAlgoRSA:
		if !field(&public, &exponent) || !field(&public, &modulus) {
			return errDamaged
		}
		return checkRSABits(bits(modulus))
	case "ssh-dss":
		return errDSA
	case ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return errors.New("this key lives in a hardware token, which must be touched for every login: use another key")
	}
	return nil
}

// checkPrivate looks at an open private section: the modulus there is the one
// that is computed with, and need not be the public one.
func checkPrivate(private cryptobyte.String) error {
	var kind, modulus cryptobyte.String
	if !private.Skip(8) || !field(&private, &kind) { // two check numbers
		return errDamaged
	}
	if string(kind) != ssh.KeyAlgoRSA {
		return nil
	}
	if !field(&private, &modulus) {
		return errDamaged
	}
	return checkRSABits(bits(modulus))
}

// field reads one length-prefixed string.
func field(in, out *cryptobyte.String) bool {
	var n uint32
	return in.ReadUint32(&n) && in.ReadBytes((*[]byte)(out), int(n))
}
