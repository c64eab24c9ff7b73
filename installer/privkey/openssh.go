package privkey

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

const (
	// maxRounds of bcrypt; ssh-keygen writes 16 or 24, and each takes some
	// milliseconds of CPU.
	maxRounds = 512
	// maxPrivateSection holds an RSA key of 8192 bits with a long comment. An encrypted
	// one cannot be looked at before it is opened.
	maxPrivateSection = 8 << 10
)

func parseOpenSSH(block *pem.Block, passphrase []byte) (key any, err error) {
	encrypted, err := openSSHHeader(block.Bytes)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(block)
	switch {
	case !encrypted:
		key, err = ssh.ParseRawPrivateKey(text)
	case len(passphrase) == 0:
		return nil, ErrPassphraseNeeded
	default:
		key, err = ssh.ParseRawPrivateKeyWithPassphrase(text, passphrase)
	}
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
func openSSHHeader(raw []byte) (encrypted bool, err error) {
	var header struct {
		Cipher, KDF, Options string
		Keys                 uint32
		Public, Private      []byte
		Rest                 []byte `ssh:"rest"`
	}
	text, found := bytes.CutPrefix(raw, []byte("openssh-key-v1\x00"))
	if !found || ssh.Unmarshal(text, &header) != nil || header.Keys != 1 {
		return false, errDamaged
	}
	if err := checkPublic(header.Public); err != nil {
		return false, err
	}
	if len(header.Private) > maxPrivateSection {
		return false, errors.New("the private key is larger than any that is accepted")
	}
	switch header.Cipher {
	case "none":
		return false, checkPrivate(header.Private)
	case "aes256-ctr", "aes256-cbc":
	default:
		return false, errors.New("the private key is encrypted with a cipher that is not supported: rewrite it with `ssh-keygen -p -Z aes256-ctr -f KEY`")
	}
	var bcrypt struct {
		Salt   string
		Rounds uint32
		Rest   []byte `ssh:"rest"`
	}
	if header.KDF != "bcrypt" || ssh.Unmarshal([]byte(header.Options), &bcrypt) != nil {
		return false, errDamaged
	}
	if bcrypt.Rounds > maxRounds {
		return false, fmt.Errorf("the private key's passphrase takes %d rounds to check, at most %d are accepted: rewrite it with `ssh-keygen -p -a 24 -f KEY`", bcrypt.Rounds, maxRounds)
	}
	return true, nil
}

type keyStart struct {
	Kind string
	Rest []byte `ssh:"rest"`
}

// checkPublic looks at the public half, which stands in front in clear text.
func checkPublic(public []byte) error {
	var key keyStart
	if ssh.Unmarshal(public, &key) != nil {
		return errDamaged
	}
	switch key.Kind {
	case ssh.KeyAlgoRSA:
		var numbers struct {
			Exponent, Modulus []byte
			Rest              []byte `ssh:"rest"`
		}
		if ssh.Unmarshal(key.Rest, &numbers) != nil {
			return errDamaged
		}
		return checkModulusBits(numbers.Modulus)
	case "ssh-dss":
		return errDSA
	case ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return errors.New("this key lives in a hardware token, which must be touched for every login: use another key")
	}
	return nil
}

// checkPrivate looks at an open private section: the modulus there is the one
// that is computed with, and need not be the public one.
func checkPrivate(private []byte) error {
	var section struct {
		Check1, Check2 uint32
		Key            []byte `ssh:"rest"`
	}
	var key keyStart
	if ssh.Unmarshal(private, &section) != nil || ssh.Unmarshal(section.Key, &key) != nil {
		return errDamaged
	}
	if key.Kind != ssh.KeyAlgoRSA {
		return nil
	}
	var numbers struct {
		Modulus []byte
		Rest    []byte `ssh:"rest"`
	}
	if ssh.Unmarshal(key.Rest, &numbers) != nil {
		return errDamaged
	}
	return checkModulusBits(numbers.Modulus)
}
