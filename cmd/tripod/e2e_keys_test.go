package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/csv"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer/sshtest"
	"tripod/installer/sshtest/container"
)

// keyForm is a private key as somebody has it in a file.
type keyForm struct {
	name, text, passphrase string
	authorized             string
}

// keyForms are all forms of keys, with one key of each kind. The encrypted ones of PEM
// and PKCS#8 are made by openssl and left out where it is missing.
func keyForms(t *testing.T) []keyForm {
	t.Helper()
	const passphrase = "open sesame"
	var forms []keyForm
	add := func(name string, key crypto.Signer, text []byte, passphrase string) {
		public, err := ssh.NewPublicKey(key.Public())
		require.NoError(t, err)
		forms = append(forms, keyForm{name, string(text), passphrase, string(ssh.MarshalAuthorizedKey(public))})
	}
	inPEM := func(kind string, der []byte, err error) []byte {
		require.NoError(t, err)
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		key := newSigner(t, kind)
		block, err := ssh.MarshalPrivateKey(key, "")
		require.NoError(t, err)
		add(kind+" OpenSSH", key, pem.EncodeToMemory(block), "")
		if kind == "ed25519" || sshtest.Long() { // the cipher does not depend on the kind, and costs a lot
			block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
			require.NoError(t, err)
			add(kind+" OpenSSH, passphrase", key, pem.EncodeToMemory(block), passphrase)
		}

		der, err := x509.MarshalPKCS8PrivateKey(key)
		plain := inPEM("PRIVATE KEY", der, err)
		add(kind+" PKCS#8", key, plain, "")
		if locked, ok := encrypted(t, plain, passphrase, "pkcs8", "-topk8"); ok {
			add(kind+" PKCS#8, passphrase", key, locked, passphrase)
		}
		switch key := key.(type) {
		case *rsa.PrivateKey:
			plain := inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil)
			add("rsa PKCS#1", key, plain, "")
			if locked, ok := encrypted(t, plain, passphrase, "rsa", "-aes256", "-traditional"); ok {
				add("rsa PKCS#1, passphrase", key, locked, passphrase)
			}
		case *ecdsa.PrivateKey:
			der, err := x509.MarshalECPrivateKey(key)
			plain := inPEM("EC PRIVATE KEY", der, err)
			add("ecdsa SEC1", key, plain, "")
			if locked, ok := encrypted(t, plain, passphrase, "ec", "-aes256"); ok {
				add("ecdsa SEC1, passphrase", key, locked, passphrase)
			}
		}
	}
	return forms
}

func newSigner(t *testing.T, kind string) (key crypto.Signer) {
	t.Helper()
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	require.NoError(t, err)
	return key
}

// encrypted lets openssl give a key a passphrase.
func encrypted(t *testing.T, key []byte, passphrase string, args ...string) ([]byte, bool) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Log("no openssl: encrypted PEM keys are left out")
		return nil, false
	}
	cmd := exec.Command("openssl", append(args, "-passout", "pass:"+passphrase)...)
	cmd.Stdin = strings.NewReader(string(key))
	out, err := cmd.Output()
	require.NoError(t, err, "openssl %v", args)
	require.Contains(t, string(out), "-----BEGIN")
	return out, true
}

// authorize lets a key in.
func authorize(t *testing.T, c *container.Host, forms ...keyForm) {
	t.Helper()
	var all strings.Builder
	for _, f := range forms {
		all.WriteString(f.authorized)
	}
	_, err := c.ExecInput(t.Context(), all.String(), "sh", "-c", "cat >>/root/.ssh/authorized_keys")
	require.NoError(t, err)
}

// csvRows writes a hosts file with these columns.
func csvRows(t *testing.T, rows [][]string) string {
	t.Helper()
	var b strings.Builder
	w := csv.NewWriter(&b)
	require.NoError(t, w.WriteAll(rows))
	return b.String()
}

// TestKeyForms: one host, reached by as many ports as there are forms of keys.
func TestKeyForms(t *testing.T) {
	r := newRig(t, usual)
	forms := keyForms(t)
	ports := freePorts(t, len(forms))
	var publish []string
	rows := [][]string{{"address", "port", "name", "key", "passphrase"}}
	for i, f := range forms {
		publish = append(publish, "--publish", fmt.Sprintf("127.0.0.1:%s:22", ports[i]))
		key := f.text // some in the hosts file itself, some in files of their own
		if i%2 == 0 {
			key = r.file(fmt.Sprintf("key-%d", i), f.text)
		}
		rows = append(rows, []string{"127.0.0.1", ports[i], f.name, key, f.passphrase})
	}
	c := container.Start(t, container.KeyKind, container.WithRunArgs(publish...))
	authorize(t, c, forms...)

	p, _ := r.tripod("check", "-f", r.file("hosts.csv", csvRows(t, rows)), "--parallel", "4", "--output", "json")
	doc := r.report(p.out())
	require.Len(t, doc.Invocations, len(forms), "%s", p.err())
	for i, inv := range doc.Invocations {
		assert.Equal(t, forms[i].name, inv.InstanceName)
		assert.Equal(t, "SUCCEEDED", string(inv.InvocationStatus), "%s: %s", inv.InstanceName, inv.ResultMsg)
	}
	t.Logf("%d forms of keys", len(forms))

	// A key that is not authorized, and one with the wrong passphrase, which is
	// told before anything is dialled.
	stranger := filepath.Join(r.dir, "stranger")
	block, err := ssh.MarshalPrivateKey(newSigner(t, "ed25519"), "")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(stranger, pem.EncodeToMemory(block), 0o600))
	at := c.Endpoint()
	p, code := r.tripod("check", "--identity", stranger, "--output", "json", at.HostPort())
	assert.Equal(t, exit.Hosts, code)
	assert.Equal(t, "auth-rejected", string(r.report(p.out()).Invocations[0].Kind))
	locked := slices.IndexFunc(forms, func(f keyForm) bool { return f.name == "ed25519 OpenSSH, passphrase" })
	p, code = r.tripod("check", "--identity", r.file("locked", forms[locked].text), "--passphrase-file", r.file("wrong", "close sesame\n"), at.HostPort())
	assert.Equal(t, exit.Usage, code, "%s", p.err())
	assert.Contains(t, p.err(), "passphrase")
}
