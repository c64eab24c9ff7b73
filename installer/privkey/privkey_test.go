package privkey

import (
	"bytes"
	"crypto"
	"crypto/dsa" //nolint:staticcheck // it has to be refused
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshtest/testkeys"
)

const passphrase = "open, sesame é"

// testKeys has a key of each kind.
var testKeys = sync.OnceValue(func() map[string]crypto.Signer {
	keys := map[string]crypto.Signer{}
	keys["rsa"] = testkeys.RSA()
	var err error
	for name, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		if keys[name], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			panic(err)
		}
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	keys["ed25519"] = ed
	return keys
})

// forms are the ways a key can be written, those with "+" encrypted. OpenSSH's
// encrypted form is in testdata, with fewer rounds than Go writes: sixteen of
// them take seconds under the race detector.
func forms(tb testing.TB, key crypto.Signer) map[string][]byte {
	tb.Helper()
	all := map[string][]byte{}
	block, err := ssh.MarshalPrivateKey(key, "a comment")
	require.NoError(tb, err)
	all["openssh"] = pem.EncodeToMemory(block)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(tb, err)
	all["pkcs8"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})

	var old *pem.Block
	switch k := key.(type) {
	case *rsa.PrivateKey:
		old = &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(k)
		require.NoError(tb, err)
		old = &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}
	default:
		return all
	}
	all["old"] = pem.EncodeToMemory(old)
	old, err = x509.EncryptPEMBlock(rand.Reader, old.Type, old.Bytes, []byte(passphrase), x509.PEMCipherAES256) //nolint:staticcheck // users have such files
	require.NoError(tb, err)
	all["old+"] = pem.EncodeToMemory(old)
	return all
}

func parse(text, pass string) (ssh.Signer, error) {
	return Parse(installer.NewSecret(text), installer.NewSecret(pass))
}

// requireSigner checks that the signer signs with that very key.
func requireSigner(t *testing.T, want crypto.PublicKey, signer ssh.Signer, err error) {
	t.Helper()
	require.NoError(t, err)
	if want != nil {
		public, err := ssh.NewPublicKey(want)
		require.NoError(t, err)
		require.Equal(t, public.Marshal(), signer.PublicKey().Marshal())
	}
	signature, err := signer.Sign(rand.Reader, []byte("data"))
	require.NoError(t, err)
	require.NoError(t, signer.PublicKey().Verify([]byte("data"), signature))
}

func TestEveryKindInEveryForm(t *testing.T) {
	t.Parallel()
	for kind, key := range testKeys() {
		for form, text := range forms(t, key) {
			t.Run(kind+" "+form, func(t *testing.T) {
				t.Parallel()
				pass, encrypted := "", strings.HasSuffix(form, "+")
				if encrypted {
					pass = passphrase
					_, err := parse(string(text), "")
					require.ErrorIs(t, err, ErrPassphraseNeeded)
					_, err = parse(string(text), "wrong")
					require.ErrorIs(t, err, ErrPassphraseWrong)
				}
				signer, err := parse(string(text), pass)
				requireSigner(t, key.Public(), signer, err)

				if encrypted {
					return // opening it once more takes long and shows nothing new
				}
				crlf := bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
				signer, err = parse(" \r\n"+string(crlf)+"\r\n", "")
				requireSigner(t, key.Public(), signer, err)
			})
		}
		signer, err := parse(string(forms(t, key)["openssh"]), "not needed")
		requireSigner(t, key.Public(), signer, err)
	}
}

// RSA signers must offer SHA-2, or OpenSSH 8.8 and newer refuse them.
func TestRSASignsWithSHA2(t *testing.T) {
	t.Parallel()
	signer, err := parse(string(forms(t, testKeys()["rsa"])["pkcs8"]), "")
	require.NoError(t, err)
	signature, err := signer.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, []byte("data"), ssh.KeyAlgoRSASHA512)
	require.NoError(t, err)
	assert.Equal(t, ssh.KeyAlgoRSASHA512, signature.Format)
}

// The files were written by `openssl pkcs8 -topk8`, `openssl rsa -traditional`
// and `ssh-keygen -a 1` with the passphrase of this test.
func TestFilesOfOtherPrograms(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.pem")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			_, err = parse(string(text), "")
			require.ErrorIs(t, err, ErrPassphraseNeeded)
			_, err = parse(string(text), "wrong")
			require.ErrorIs(t, err, ErrPassphraseWrong)
			signer, err := parse(string(text), passphrase)
			requireSigner(t, nil, signer, err)
		})
	}
}

func TestOpenSSLHere(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here: the vectors in testdata stand in for it")
	}
	for _, args := range [][]string{
		{"-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"},
		{"-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-iter", "10000"},
		{"-v2", "des3"},
	} {
		cmd := exec.CommandContext(t.Context(), openssl, append([]string{"pkcs8", "-topk8", "-passout", "stdin"}, args...)...)
		in := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(in, forms(t, testKeys()["p256"])["pkcs8"], 0o600))
		cmd.Args = append(cmd.Args, "-in", in)
		cmd.Stdin = strings.NewReader(passphrase + "\n")
		out, err := cmd.Output()
		require.NoError(t, err, args)
		signer, err := parse(string(out), passphrase)
		requireSigner(t, testKeys()["p256"].Public(), signer, err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	good := string(forms(t, testKeys()["ed25519"])["openssh"])
	public, err := ssh.NewPublicKey(testKeys()["ed25519"].Public())
	require.NoError(t, err)
	pkix, err := x509.MarshalPKIXPublicKey(testKeys()["rsa"].Public())
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	p224DER, err := x509.MarshalECPrivateKey(p224)
	require.NoError(t, err)
	for name, tc := range map[string]struct{ text, want string }{
		"empty":             {" \n", "is empty"},
		"public, one line":  {string(ssh.MarshalAuthorizedKey(public)), "this is a public key"},
		"public, PEM":       {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})), "this is a public key"},
		"public, SSH2":      {"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n", "this is a public key"},
		"PuTTY":             {"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "puttygen"},
		"certificate":       {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), "this is a certificate"},
		"other block":       {string(pem.EncodeToMemory(&pem.Block{Type: "PGP MESSAGE", Bytes: []byte("x")})), "no private key that SSH knows"},
		"two blocks":        {good + good, "more than one PEM block"},
		"half a second one": {good + good[:100], "more than one PEM block"},
		"more text":         {good + "secret", "more text after the private key"},
		"garbage":           {"hunter2", "this is not a private key"},
		"cut short":         {good[:200], "damaged or cut short"},
		"one line":          {strings.ReplaceAll(good, "\n", " "), "lost its line breaks"},
		"escaped twice":     {strings.ReplaceAll(good, "\n", `\n`), "escaped twice"},
		"damaged":           {string(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: []byte("openssh-key-v1\x00rubbish")})), "damaged"},
		"damaged PKCS#8":    {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("rubbish")})), "damaged"},
		"damaged PKCS#1":    {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("rubbish")})), "damaged"},
		"too long":          {good + strings.Repeat("\n", MaxText), "longer than 65536 bytes"},
		"P-224":             {string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: p224DER})), "P-256, P-384 or P-521"},
		"DSA":               {string(pem.EncodeToMemory(&pem.Block{Type: "DSA PRIVATE KEY", Bytes: dsaDER(t)})), "DSA"},
		"DSA, PKCS#8":       {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: dsaPKCS8(t)})), "DSA"},
		"DSA, OpenSSH":      {string(opensshBlock("none", "none", nil, wire("ssh-dss"), []byte("rest"))), "DSA"},
		"hardware token":    {string(opensshBlock("none", "none", nil, wire("sk-ssh-ed25519@openssh.com"), []byte("rest"))), "hardware token"},
		"RSA of 512 bits":   {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: rsaDER(t, 512)})), "has 512 bits"},
		"RSA of 16384 bits": {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: rsaDER(t, 16384)})), "has 16384 bits"},
		"RSA of 8193 bits":  {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: rsaDER(t, 8193)})), "has 8193 bits"},
		"RSA, huge, PKCS#8": {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: wrapRSA(t, rsaDER(t, 100_000))})), "has 100000 bits"},
		"RSA, huge, public half": {string(opensshBlock("aes256-ctr", "bcrypt", append(wire("salt"), 0, 0, 0, 16),
			append(append(wire("ssh-rsa"), wire("\x01")...), wire(string(huge(100_000).Bytes()))...), []byte("rest"))), "has 100000 bits"},
		"RSA, huge, private half only": {string(opensshBlock("none", "none", nil,
			append(append(wire("ssh-rsa"), wire("\x01")...), wire(string(huge(2048).Bytes()))...),
			append(append(make([]byte, 8), wire("ssh-rsa")...), wire(string(huge(60_000).Bytes()))...))), "has 60000 bits"},
		"RSA, huge, encrypted": {string(opensshBlock("aes256-ctr", "bcrypt", append(wire("salt"), 0, 0, 0, 16),
			append(append(wire("ssh-rsa"), wire("\x01")...), wire(string(huge(2048).Bytes()))...), make([]byte, 20_000))), "larger than any"},
		"too many rounds": {string(opensshBlock("aes256-ctr", "bcrypt", append(wire("salt"), 0x7f, 0, 0, 0),
			wire("ssh-ed25519"), make([]byte, 64))), "rounds"},
		"other cipher": {string(opensshBlock("chacha20-poly1305@openssh.com", "bcrypt", append(wire("salt"), 0, 0, 0, 16),
			wire("ssh-ed25519"), make([]byte, 64))), "ssh-keygen -p -Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(tc.text, passphrase)
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestPBES2Bounds(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/pkcs8-aes256-sha256.pem")
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	var key encryptedKey
	require.NoError(t, unmarshal(block.Bytes, &key))
	var scheme pbes2Params
	require.NoError(t, unmarshal(key.Algorithm.Params.FullBytes, &scheme))

	change := func(scheme pbes2Params, oid asn1.ObjectIdentifier) string {
		key := key
		key.Algorithm = algorithm{OID: oid, Params: asn1.RawValue{FullBytes: mustDER(t, scheme)}}
		return string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: mustDER(t, key)}))
	}
	_, err = parse(change(scheme, oidPBES2), passphrase)
	require.NoError(t, err, "taking apart and putting together must not break it")

	_, err = parse(change(scheme, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 3}), passphrase) // PBES1
	require.ErrorIs(t, err, errPKCS8Cipher)

	scrypt := scheme
	scrypt.KDF.OID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	_, err = parse(change(scrypt, oidPBES2), passphrase)
	require.ErrorIs(t, err, errPKCS8Cipher)

	for iterations, want := range map[int]string{maxIterations + 1: "iterations", 0: "damaged", -1: "damaged"} {
		slow := scheme
		slow.KDF.Params = asn1.RawValue{FullBytes: mustDER(t, struct {
			Salt       []byte
			Iterations int
		}{[]byte("saltsalt"), iterations})}
		_, err = parse(change(slow, oidPBES2), passphrase)
		require.ErrorContains(t, err, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, key := range testKeys() {
		for _, text := range forms(f, key) {
			f.Add(string(text), "")
		}
	}
	files, _ := filepath.Glob("testdata/*.pem")
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(string(text), passphrase)
	}
	f.Add("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", "")
	f.Fuzz(func(t *testing.T, text, pass string) {
		signer, err := parse(text, pass)
		if (signer == nil) == (err == nil) {
			t.Fatal("neither or both of signer and error")
		}
	})
}

func mustDER(tb testing.TB, v any) []byte {
	tb.Helper()
	der, err := asn1.Marshal(v)
	require.NoError(tb, err)
	return der
}

// huge is an odd number of so many bits.
func huge(bits int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return n.SetBit(n, 0, 1)
}

// rsaDER is a bogus RSA key with a modulus of so many bits.
func rsaDER(tb testing.TB, bits int) []byte {
	tb.Helper()
	one := big.NewInt(3)
	return mustDER(tb, struct {
		V                          int
		N, E, D, P, Q, Dp, Dq, Inv *big.Int
	}{0, huge(bits), big.NewInt(65537), huge(bits - 1), huge(bits / 2), huge(bits/2 - 1), one, one, one})
}

func wrapRSA(tb testing.TB, der []byte) []byte {
	tb.Helper()
	return mustDER(tb, struct {
		V   int
		Alg struct {
			OID  asn1.ObjectIdentifier
			Null asn1.RawValue
		}
		Key []byte
	}{0, struct {
		OID  asn1.ObjectIdentifier
		Null asn1.RawValue
	}{oidRSA, asn1.NullRawValue}, der})
}

func dsaDER(tb testing.TB) []byte {
	tb.Helper()
	var key dsa.PrivateKey
	key.P, key.Q, key.G, key.Y, key.X = huge(1024), huge(160), big.NewInt(2), big.NewInt(4), big.NewInt(3)
	return mustDER(tb, struct {
		V             int
		P, Q, G, Y, X *big.Int
	}{0, key.P, key.Q, key.G, key.Y, key.X})
}

func dsaPKCS8(tb testing.TB) []byte {
	tb.Helper()
	return mustDER(tb, struct {
		V   int
		Alg struct{ OID asn1.ObjectIdentifier }
		Key []byte
	}{0, struct{ OID asn1.ObjectIdentifier }{oidDSA}, mustDER(tb, big.NewInt(3))})
}

// wire is a length-prefixed string.
func wire(s string) []byte {
	n := len(s)
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, s...)
}

func opensshBlock(cipher, kdf string, options, public, private []byte) []byte {
	raw := []byte("openssh-key-v1\x00")
	raw = append(raw, wire(cipher)...)
	raw = append(raw, wire(kdf)...)
	raw = append(raw, wire(string(options))...)
	raw = append(raw, 0, 0, 0, 1)
	raw = append(raw, wire(string(public))...)
	raw = append(raw, wire(string(private))...)
	return pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: raw})
}
