package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/report"
	"tripod/installer"
	"tripod/installer/sshtest/container"
	"tripod/testdata/agent"
)

const mirrorURL = "https://mirror.example:8443/agent"

// onlineInstaller stands in for the official agent_install.sh: it takes the same
// arguments, downloads the package with the host's own tool, and exits with 0
// whatever comes of it.
const onlineInstaller = `#!/bin/bash
echo "asked for $*"
version=newest
[ "$1" != -t ] || version=$2
if command -v curl >/dev/null; then
	curl -sSfO ` + mirrorURL + `/$version.tar.gz || exit 0
else
	wget -q ` + mirrorURL + `/$version.tar.gz || exit 0
fi
tar -xzf $version.tar.gz && cd telescope_linux_*/ && bash ./install.sh
`

// TestOnlineOnContainers: hosts get the agent by themselves, over https from a
// mirror whose certificate is of a private CA: one with curl, by root, one with
// GNU wget, by a user who needs sudo. A host that does not know the CA installs
// nothing.
func TestOnlineOnContainers(t *testing.T) {
	r := newRig(t, usual)
	cs := container.StartAll(t, []container.Kind{container.PasswordKind, container.SudoPasswordKind})
	authority, certificate := mirrorCertificate(t)
	everyContainer(t, cs, func(c *container.Host) { startMirror(t, c, certificate) })
	in(t, cs[1], "rm /usr/bin/curl")
	hosts := r.file("hosts.csv", csvFile(cs...))
	do := func(want int, args ...string) report.JSONReport {
		t.Helper()
		args = append(args, "-f", hosts, "--output", "json")
		if args[0] != "rollback" {
			args = append(args, "--online-url", mirrorURL, "--region", "r-1")
		}
		p, code := r.tripod(args...)
		require.Equal(t, want, code, "%v\n%s%s", args, p.out(), p.err())
		doc := r.report(p.out())
		require.Len(t, doc.Invocations, len(cs))
		return doc
	}

	for i, inv := range do(exit.Hosts, "install").Invocations {
		assert.Equal(t, installer.Failed, inv.InvocationStatus)
		assert.Contains(t, inv.Message, "cannot download "+mirrorURL+"/agent_install.sh")
		assert.Contains(t, inv.Message, "certificate", "what is wrong with it")
		requireAgent(t, cs[i], "")
	}

	everyContainer(t, cs, func(c *container.Host) {
		put(t, c, "/root/authority.pem", authority) // update-ca-certificates does this at a greater cost
		in(t, c, "cat /root/authority.pem >>/etc/ssl/certs/ca-certificates.crt")
	})
	has := func(doc report.JSONReport, state installer.State, version string) {
		t.Helper()
		for i, inv := range doc.Invocations {
			assert.Equal(t, state, inv.InvocationStatus, inv.Message)
			requireAgent(t, cs[i], version)
		}
	}
	has(do(exit.OK, "install"), installer.Succeeded, "1.0.0")
	updated := do(exit.OK, "update", "--version", "2.0.0")
	has(updated, installer.Succeeded, "2.0.0")
	for _, inv := range updated.Invocations {
		assert.Contains(t, r.must("logs", "--raw", inv.InvocationID), "asked for -t 2.0.0 -r r-1")
	}

	// From here on nothing comes from the network.
	inAll(t, cs, "pkill -x openssl")
	has(do(exit.Hosts, "update", "--version", "3.0.0"), installer.Failed, "2.0.0")
	has(do(exit.OK, "rollback", updated.BatchID), installer.Succeeded, "1.0.0")
}

// startMirror serves the installer and two versions on the host itself.
func startMirror(t *testing.T, c *container.Host, certificate string) {
	t.Helper()
	in(t, c, "mkdir -p /srv/agent && echo 127.0.0.1 mirror.example >>/etc/hosts")
	put(t, c, "/srv/agent/agent_install.sh", onlineInstaller)
	for name, version := range map[string]string{"newest": "1.0.0", "2.0.0": "2.0.0"} {
		file, err := os.ReadFile(agent.Build(t, agent.Options{Version: version, Name: version + ".tar.gz"}))
		require.NoError(t, err)
		put(t, c, "/srv/agent/"+name+".tar.gz", string(file))
	}
	put(t, c, "/root/mirror.pem", certificate)
	in(t, c, "cd /srv && { setsid openssl s_server -quiet -WWW -accept 8443 -cert /root/mirror.pem </dev/null >/root/mirror.log 2>&1 & }")
	waitIn(t, c, "curl -ksSf "+mirrorURL+"/agent_install.sh | grep -qx '#!/bin/bash'")
}

// put writes a file in the container.
func put(t *testing.T, c *container.Host, path, text string) {
	t.Helper()
	_, err := c.ExecInput(t.Context(), text, "sh", "-c", "cat >"+path)
	require.NoError(t, err)
}

// mirrorCertificate makes a CA and the mirror's certificate with its key, as PEM.
func mirrorCertificate(t *testing.T) (authority, mirror string) {
	t.Helper()
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		return k
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the private CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "mirror.example"}, DNSNames: []string{"mirror.example"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caKey, leafKey := key(), key()
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	require.NoError(t, err)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, leafKey.Public(), caKey)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	require.NoError(t, err)
	return block("CERTIFICATE", caDER), block("CERTIFICATE", leafDER) + block("PRIVATE KEY", keyDER)
}
