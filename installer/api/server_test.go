package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer/api"
)

// serve starts Serve and returns its address and how to stop it; stop returns
// what Serve returned.
func serve(t *testing.T, c api.ServerConfig) (address string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan net.Addr, 1)
	done := make(chan error, 1)
	c.Listen, c.Ready = "127.0.0.1:0", func(a net.Addr) { ready <- a }
	c.Logger = slog.New(slog.DiscardHandler)
	go func() { done <- api.Serve(ctx, c) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { _ = stop() })
	select {
	case a := <-ready:
		return a.String(), stop
	case err := <-done:
		stopped = true
		cancel()
		t.Fatal(err)
		return "", nil
	}
}

func TestC05PlainHTTPOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		err := api.Serve(t.Context(), api.ServerConfig{Listen: listen, Handler: http.NotFoundHandler()})
		require.ErrorIs(t, err, api.ErrPlainHTTP, listen)
		require.ErrorContains(t, err, "--tls-cert")
	}
}

func TestServeRefusesBadConfiguration(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	other, _ := certificate(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	for want, c := range map[string]api.ServerConfig{
		"both a certificate and its key": {Listen: "127.0.0.1:0", CertFile: cert},
		"load the TLS certificate":       {Listen: "127.0.0.1:0", CertFile: other, KeyFile: key},
		"listen address":                 {Listen: "127.0.0.1"},
		"address already in use":         {Listen: taken.Addr().String()},
	} {
		require.ErrorContains(t, api.Serve(t.Context(), c), want)
	}
}

func TestC05TLS12OrNewer(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	r := newRig(t)
	address, stop := serve(t, api.ServerConfig{Handler: r.handler, CertFile: cert, KeyFile: key})
	raw, err := os.ReadFile(cert)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(raw))

	_, err = tls.Dial("tcp", address, &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) //nolint:gosec // what must not work
	require.Error(t, err)

	client := r.clientFor(project, r.token)
	client.BaseURL = "https://" + address
	client.HTTP.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool, ServerName: "localhost"}
	_, err = client.Create(t.Context(), request("REMOTE_INSTALL"))
	require.NoError(t, err)

	resp, err := http.Get("http://" + address + "/healthz") //nolint:noctx // plain HTTP on a TLS port
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	require.NoError(t, stop())
}

// certificate makes a self-signed one for localhost.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	return certFile, keyFile
}

// TestA21GracefulStop: what is under way is answered, nothing new is taken,
// and a request that never ends does not hold the daemon for ever.
func TestA21GracefulStop(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	address, stop := serve(t, api.Limited(api.ServerConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "done")
	})}, api.ServerLimits{ShutdownGrace: time.Minute}))
	conn := dial(t, address)
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, time.Minute, time.Millisecond, "new connections are taken")
	close(release)
	require.Equal(t, http.StatusOK, status(conn))
	require.NoError(t, <-stopped)
}

func TestA21StopCutsOffWhatNeverEnds(t *testing.T) {
	t.Parallel()
	entered, released := make(chan struct{}), make(chan struct{})
	address, stop := serve(t, api.Limited(api.ServerConfig{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(released)
	})}, api.ServerLimits{ShutdownGrace: 20 * time.Millisecond}))
	conn := dial(t, address)
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	<-entered
	require.NoError(t, stop())
	require.Zero(t, status(conn))
	<-released
}
