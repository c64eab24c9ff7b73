package privkey

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
)

// maxIterations of PBKDF2; openssl writes 2,048, careful people a million.
// Five million take a second or two of CPU.
const maxIterations = 5_000_000

// The structures of RFC 8018 (PKCS#5) around an encrypted PKCS#8 key.
type (
	encryptedKey struct {
		Algorithm algorithm
		Data      []byte
	}
	algorithm struct {
		OID    asn1.ObjectIdentifier
		Params asn1.RawValue `asn1:"optional"`
	}
	pbes2Params struct{ KDF, Cipher algorithm }
	kdfParams   struct {
		Salt       []byte
		Iterations int
		KeyLen     int       `asn1:"optional"`
		PRF        algorithm `asn1:"optional"`
	}
)

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// hashes of PBKDF2, by object identifier; the one that is not named is the default.
var hashes = map[string]func() hash.Hash{
	"":                    sha1.New,
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

var ciphers = map[string]struct {
	keyLen int
	new    func([]byte) (cipher.Block, error)
}{
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
}

var errPKCS8Cipher = errors.New("the private key is encrypted in a way that is not supported: rewrite it with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW`")

// openPKCS8 decrypts "ENCRYPTED PRIVATE KEY", which neither crypto/x509 nor
// x/crypto/ssh can: PBES2 with PBKDF2 and AES or triple DES.
func openPKCS8(der, passphrase []byte) ([]byte, error) {
	var key encryptedKey
	if err := unmarshal(der, &key); err != nil {
		return nil, err
	}
	if !key.Algorithm.OID.Equal(oidPBES2) {
		return nil, errPKCS8Cipher
	}
	var scheme pbes2Params
	if err := unmarshal(key.Algorithm.Params.FullBytes, &scheme); err != nil {
		return nil, err
	}
	kind, known := ciphers[scheme.Cipher.OID.String()]
	if !known || !scheme.KDF.OID.Equal(oidPBKDF2) {
		return nil, errPKCS8Cipher
	}
	derived, err := derive(scheme.KDF.Params.FullBytes, passphrase, kind.keyLen)
	if err != nil {
		return nil, err
	}
	block, err := kind.new(derived)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	var iv []byte
	if err := unmarshal(scheme.Cipher.Params.FullBytes, &iv); err != nil {
		return nil, err
	}
	return decryptCBC(block, iv, key.Data)
}

func derive(params, passphrase []byte, keyLen int) ([]byte, error) {
	var kdf kdfParams
	if err := unmarshal(params, &kdf); err != nil {
		return nil, err
	}
	if kdf.Iterations > maxIterations {
		return nil, fmt.Errorf("the private key's passphrase takes %d iterations to check, at most %d are accepted: rewrite it with `openssl pkcs8 -topk8 -in KEY -out NEW`", kdf.Iterations, maxIterations)
	}
	if kdf.Iterations < 1 || kdf.KeyLen != 0 && kdf.KeyLen != keyLen {
		return nil, errDamaged
	}
	prf, known := hashes[kdf.PRF.OID.String()]
	if !known {
		return nil, errPKCS8Cipher
	}
	derived, err := pbkdf2.Key(prf, string(passphrase), kdf.Salt, kdf.Iterations, keyLen)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return derived, nil
}

// decryptCBC decrypts and takes the padding off. Wrong padding means a wrong
// passphrase; there is nobody who could learn from the difference in time.
func decryptCBC(block cipher.Block, iv, data []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, errDamaged
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	text, padded := bytes.CutSuffix(plain, bytes.Repeat([]byte{byte(pad)}, pad))
	if pad < 1 || pad > size || !padded {
		return nil, ErrPassphraseWrong
	}
	return text, nil
}

func unmarshal(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	if len(rest) > 0 {
		return errDamaged
	}
	return nil
}
