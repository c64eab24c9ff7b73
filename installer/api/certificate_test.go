package api_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer/api"
)

// TestC05RenewedCertificate: handshakes get a renewed certificate without a restart, and
// the old one while the new one is unusable.
func TestC05RenewedCertificate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		certFile, keyFile := certificate(t)
		config, err := api.TLS(api.ServerConfig{CertFile: certFile, KeyFile: keyFile, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		first := der(t, certFile)
		require.Equal(t, first, served(t, config))

		newCert, newKey := certificate(t)
		second := der(t, newCert)
		require.NotEqual(t, first, second)
		later := func() []byte {
			time.Sleep(time.Second)
			return served(t, config)
		}
		require.NoError(t, os.Rename(newCert, certFile))
		require.Equal(t, first, later(), "a certificate whose key is not there yet")
		require.NoError(t, os.Rename(newKey, keyFile)) // as renewal tools do
		require.Equal(t, second, later())

		require.NoError(t, os.WriteFile(certFile, []byte("garbage"), 0o600))
		require.Equal(t, second, later())
		require.NoError(t, os.Remove(keyFile))
		require.Equal(t, second, later())
	})
}

// served is the certificate that a handshake is answered with.
func served(t *testing.T, config *tls.Config) []byte {
	t.Helper()
	config.SessionTicketsDisabled = true // nobody reads after the handshake
	near, far := net.Pipe()
	go func() {
		_ = tls.Server(far, config).Handshake()
		_ = far.Close()
	}()
	conn := tls.Client(near, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // which one it is, is what is looked at
	defer func() { _ = near.Close() }()
	require.NoError(t, conn.Handshake())
	require.GreaterOrEqual(t, conn.ConnectionState().Version, uint16(tls.VersionTLS12))
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
