package api_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/api"
)

// TestC05RenewedCertificate: a real listener serves a renewed certificate
// without a restart, and keeps the old one while the new one is unusable.
func TestC05RenewedCertificate(t *testing.T) {
	t.Parallel()
	certFile, keyFile := certificate(t)
	for _, file := range []string{certFile, keyFile} { // older than what renews it, by any clock of a file system
		require.NoError(t, os.Chtimes(file, time.Time{}, time.Now().Add(-time.Minute)))
	}
	address, _ := serve(t, api.ServerConfig{Handler: http.NotFoundHandler(), CertFile: certFile, KeyFile: keyFile})
	first := der(t, certFile)
	require.Equal(t, first, served(t, address))

	newCert, newKey := certificate(t)
	second := der(t, newCert)
	// Half-way through the renewal the key does not fit.
	replace(t, newCert, certFile)
	time.Sleep(1100 * time.Millisecond)
	require.Equal(t, first, served(t, address), "a certificate whose key is not there yet")

	replace(t, newKey, keyFile)
	require.Eventually(t, func() bool { return bytes.Equal(second, served(t, address)) }, time.Minute, 50*time.Millisecond)

	require.NoError(t, os.WriteFile(certFile, []byte("garbage"), 0o600))
	time.Sleep(1100 * time.Millisecond)
	require.Equal(t, second, served(t, address))
	require.NoError(t, os.Remove(keyFile))
	time.Sleep(1100 * time.Millisecond)
	require.Equal(t, second, served(t, address))
	assert.NotEqual(t, first, second)
}

// served is the certificate that a handshake is answered with.
func served(t *testing.T, address string) []byte {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // which one it is, is what is looked at
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	assert.GreaterOrEqual(t, conn.ConnectionState().Version, uint16(tls.VersionTLS12))
	return conn.ConnectionState().PeerCertificates[0].Raw
}

func der(t *testing.T, certFile string) []byte {
	t.Helper()
	text, err := os.ReadFile(certFile)
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	_, err = x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return block.Bytes
}

// replace renames, as renewal tools do.
func replace(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, os.Rename(from, to))
}
