// Package privkey turns the text of a private key into an SSH signer. Keys come from
// anybody: sizes, work factors and RSA moduli are checked before anything expensive is
// done with them, and every refusal says what to do.
package privkey

import (
	"bytes"
	"crypto/dsa" //nolint:staticcheck // only to recognise and refuse it
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

const (
	MaxText    = 64 << 10 // bytes of PEM text
	MinRSABits = 1024
	MaxRSABits = 8192
)

var (
	ErrPassphraseNeeded = errors.New("the private key is encrypted: give its passphrase, or a key without one")
	ErrPassphraseWrong  = errors.New("the passphrase does not open the private key")
)

// Parse reads one private key (RSA, ECDSA or Ed25519; PKCS#1, PKCS#8, SEC1 or OpenSSH),
// encrypted or not. Errors never tell any of the key.
func Parse(text, passphrase installer.Secret) (ssh.Signer, error) {
	block, err := onlyBlock(text.Reveal())
	if err != nil {
		return nil, err
	}
	key, err := parseBlock(block, []byte(passphrase.Reveal()))
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *dsa.PrivateKey:
		return nil, errDSA
	case *rsa.PrivateKey:
		if err := checkRSABits(k.N.BitLen()); err != nil {
			return nil, err
		}
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("SSH cannot use this kind of key (%w): use RSA, ECDSA on P-256, P-384 or P-521, or Ed25519", err)
	}
	return signer, nil
}

var errDSA = errors.New("this is a DSA key, which SSH servers no longer accept: use RSA, ECDSA or Ed25519")

func onlyBlock(s string) (*pem.Block, error) {
	if len(s) > MaxText {
		return nil, fmt.Errorf("the text is longer than %d bytes: a private key is not", MaxText)
	}
	text := []byte(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"))
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, notPEM(s)
	}
	if block.Type == "EC PARAMETERS" { // openssl writes the curve in front of the key
		if next, after := pem.Decode(rest); next != nil {
			block, rest = next, after
		}
	}
	if bytes.Contains(rest, []byte("-----BEGIN")) {
		return nil, errors.New("the text holds more than one PEM block: give the private key alone")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("there is more text after the private key: give the key alone")
	}
	return block, nil
}

func notPEM(s string) error {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return errors.New("the private key is empty")
	case strings.HasPrefix(s, "ssh-"), strings.HasPrefix(s, "ecdsa-"), strings.HasPrefix(s, "sk-"),
		strings.Contains(s, "BEGIN SSH2 PUBLIC KEY"):
		return errPublic
	case strings.HasPrefix(s, "PuTTY-User-Key-File"):
		return errors.New("this is a PuTTY key: convert it with `puttygen KEY.ppk -O private-openssh -o KEY`")
	case strings.Contains(s, "-----BEGIN") && strings.Contains(s, `\n`):
		return errors.New(`the private key has "\n" where its line breaks should be: they were escaped twice`)
	case strings.Contains(s, "-----BEGIN") && !strings.Contains(s, "\n"):
		return errors.New("the private key has lost its line breaks: give it as it is in its file")
	case strings.Contains(s, "-----BEGIN"):
		return errors.New("the private key is damaged or cut short: give all of its file, from the BEGIN to the END line")
	}
	return errors.New("this is not a private key: it begins with a line like -----BEGIN OPENSSH PRIVATE KEY-----")
}

var errPublic = errors.New("this is a public key: give the private one, the file without .pub")

func parseBlock(block *pem.Block, passphrase []byte) (any, error) {
	switch block.Type {
	case "OPENSSH PRIVATE KEY":
		return parseOpenSSH(block, passphrase)
	case "ENCRYPTED PRIVATE KEY":
		if len(passphrase) == 0 {
			return nil, ErrPassphraseNeeded
		}
		der, err := openPKCS8(block.Bytes, passphrase)
		if err != nil {
			return nil, err
		}
		return parseDecrypted("PRIVATE KEY", der)
	case "RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY":
		return parsePlain(block, passphrase)
	case "DSA PRIVATE KEY":
		return nil, errDSA
	}
	switch {
	case strings.HasSuffix(block.Type, "PUBLIC KEY"):
		return nil, errPublic
	case strings.HasSuffix(block.Type, "CERTIFICATE"):
		return nil, errors.New("this is a certificate: give the private key that belongs to it")
	}
	return nil, errors.New("this PEM block is no private key that SSH knows: give one in OpenSSH, PKCS#1, PKCS#8 or SEC1 form")
}

func checkModulusBits(modulus []byte) error {
	return checkRSABits(new(big.Int).SetBytes(modulus).BitLen())
}

func checkRSABits(bits int) error {
	if bits < MinRSABits || bits > MaxRSABits {
		return fmt.Errorf("the RSA key has %d bits: %d to %d are accepted, 3072 is a good size", bits, MinRSABits, MaxRSABits)
	}
	return nil
}
