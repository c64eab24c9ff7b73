package privkey

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
)

var errDamaged = errors.New("the private key is damaged")

// parsePlain reads PKCS#1, SEC1 and PKCS#8, and the first two in OpenSSL's old
// encrypted form ("Proc-Type: 4,ENCRYPTED").
func parsePlain(block *pem.Block, passphrase []byte) (any, error) {
	if !x509.IsEncryptedPEMBlock(block) { //nolint:staticcheck // weak, but files of users are like that
		return parseDER(block.Type, block.Bytes)
	}
	if len(passphrase) == 0 {
		return nil, ErrPassphraseNeeded
	}
	der, err := x509.DecryptPEMBlock(block, passphrase) //nolint:staticcheck // see above
	switch {
	case errors.Is(err, x509.IncorrectPasswordError):
		return nil, ErrPassphraseWrong
	case err != nil:
		return nil, fmt.Errorf("the private key cannot be decrypted: %w", err)
	}
	return parseDecrypted(block.Type, der)
}

// parseDecrypted: a wrong passphrase can leave valid padding.
func parseDecrypted(kind string, der []byte) (any, error) {
	key, err := parseDER(kind, der)
	if errors.Is(err, errDamaged) {
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

// checkModulus refuses an RSA modulus of the wrong size before the parser proper checks
// the key's numbers against each other, which takes seconds for a huge one.
func checkModulus(kind string, der []byte) error {
	if kind == "PRIVATE KEY" {
		var info struct {
			Version   int
			Algorithm algorithm
			Key       []byte
		}
		_, err := asn1.Unmarshal(der, &info)
		switch {
		case err == nil && info.Algorithm.OID.Equal(oidDSA):
			return errDSA
		case err != nil || !info.Algorithm.OID.Equal(oidRSA):
			return nil
		}
		der = info.Key
	} else if kind != "RSA PRIVATE KEY" {
		return nil
	}
	var numbers struct {
		Version int
		Modulus *big.Int
	}
	if _, err := asn1.Unmarshal(der, &numbers); err != nil {
		return nil
	}
	return checkRSABits(numbers.Modulus.BitLen())
}
