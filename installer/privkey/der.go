package privkey

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// errDamaged wraps what the standard library says of a key it cannot read.
var errDamaged = errors.New("the private key is damaged")

// parsePlain reads PKCS#1, SEC1 and PKCS#8, and the first two in OpenSSL's old
// encrypted form ("Proc-Type: 4,ENCRYPTED").
func parsePlain(block *pem.Block, passphrase []byte) (any, error) {
	//lint:ignore SA1019 weak, but files of users are like that
	if !x509.IsEncryptedPEMBlock(block) {
		return parseDER(block.Type, block.Bytes)
	}
	if len(passphrase) == 0 {
		return nil, ErrPassphraseNeeded
	}
	//lint:ignore SA1019 see above
	der, err := x509.DecryptPEMBlock(block, passphrase)
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, ErrPassphraseWrong
	}
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be decrypted: %w", err)
	}
	key, err := parseDER(block.Type, der)
	if err != nil && errors.Is(err, errDamaged) { // a wrong passphrase can leave valid padding
		err = ErrPassphraseWrong
	}
	return key, err
}

func parseDER(kind string, der []byte) (key any, err error) {
	if err := checkModulus(kind, der); err != nil {
		return nil, err
	}
	switch kind {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(der)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(der)
	default:
		key, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return key, nil
}

var (
	oidRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidDSA = asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}
)

// checkModulus refuses an RSA modulus of the wrong size before the key's
// numbers are checked against each other, which takes seconds for a huge one.
// It leaves whatever it does not understand to the parser proper.
func checkModulus(kind string, der []byte) error {
	in := cryptobyte.String(der)
	if kind == "PRIVATE KEY" {
		var info, algorithm cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !in.ReadASN1(&info, casn1.SEQUENCE) || !info.SkipASN1(casn1.INTEGER) ||
			!info.ReadASN1(&algorithm, casn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) {
			return nil
		}
		if oid.Equal(oidDSA) {
			return errDSA
		}
		if !oid.Equal(oidRSA) || !info.ReadASN1(&in, casn1.OCTET_STRING) {
			return nil
		}
	} else if kind != "RSA PRIVATE KEY" {
		return nil
	}
	var numbers, modulus cryptobyte.String
	if !in.ReadASN1(&numbers, casn1.SEQUENCE) || !numbers.SkipASN1(casn1.INTEGER) ||
		!numbers.ReadASN1(&modulus, casn1.INTEGER) {
		return nil
	}
	return checkRSABits(bits(modulus))
}

// bits counts the bits of a big-endian number.
func bits(n []byte) int {
	for len(n) > 0 && n[0] == 0 {
		n = n[1:]
	}
	total := 8 * len(n)
	if total > 0 {
		for top := n[0]; top < 0x80; top <<= 1 {
			total--
		}
	}
	return total
}
