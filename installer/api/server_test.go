package api_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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

func TestC5PlainHTTPOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		err := api.Serve(t.Context(), api.ServerConfig{Listen: listen, Handler: http.NotFoundHandler()})
		require.ErrorIs(t, err, api.ErrPlainHTTP, listen)
		require.ErrorContains(t, err, "--tls-cert")
	}
	// By explicit flag it is served.
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, api.Serve(ctx, api.ServerConfig{
		Listen: "0.0.0.0:0", AllowPlain: true, Handler: http.NotFoundHandler(), Ready: func(net.Addr) { cancel() },
	}))
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

func TestC5TLS12OrNewer(t *testing.T) {
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
	address, stop := serve(t, api.ServerConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "done")
	})})
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
	}, 10*time.Second, time.Millisecond, "new connections are taken")
	close(release)
	require.Equal(t, http.StatusOK, status(conn))
	require.NoError(t, <-stopped)
}

func TestA21StopCutsOffWhatNeverEnds(t *testing.T) {
	t.Parallel()
	entered, released := make(chan struct{}), make(chan struct{})
	address, stop := serve(t, api.ServerConfig{ShutdownGrace: 20 * time.Millisecond, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(released)
	})})
	conn := dial(t, address)
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	<-entered
	require.NoError(t, stop())
	require.Zero(t, status(conn))
	<-released
}

// TestBSlowClients: each is closed by a limit; none of them gets work stored.
func TestBSlowClients(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	address, _ := serve(t, api.ServerConfig{Handler: r.handler, HeaderTimeout: 100 * time.Millisecond, ReadTimeout: 300 * time.Millisecond, IdleTimeout: 100 * time.Millisecond})
	head := "POST " + create + " HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " + r.token + "\r\n"
	t.Run("clients", func(t *testing.T) {
		for name, begin := range map[string]string{
			"nothing":     "",
			"half a line": "GET /healthz HT",
			"half a head": head,
			"idle":        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
			"half a body": head + "Content-Length: 1000\r\n\r\n{\"invocation_type\":",
			"half chunk":  head + "Transfer-Encoding: chunked\r\n\r\n400\r\n{",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				conn := dial(t, address)
				_, err := io.WriteString(conn, begin)
				require.NoError(t, err)
				_, err = io.Copy(io.Discard, conn) // ends when the server closes
				require.False(t, errors.Is(err, os.ErrDeadlineExceeded), "the server kept the connection")
			})
		}
		t.Run("byte by byte", func(t *testing.T) {
			t.Parallel()
			conn := dial(t, address)
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				_, _ = io.Copy(io.Discard, conn)
			}()
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for i := range 100_000 {
				select {
				case <-closed:
					return
				case <-tick.C:
					_, _ = io.WriteString(conn, string("GET /healthz HTTP/1.1\r\nX: "[min(i, 25)]))
				}
			}
			t.Error("drips kept the connection open")
		})
	})
	r.nothingStored()
}

// TestBSlowReader: an answer that nobody takes is given up.
func TestBSlowReader(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	big := strings.Repeat("x", 1<<20)
	address, _ := serve(t, api.ServerConfig{WriteTimeout: 200 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := io.WriteString(w, big); err != nil {
				failed <- err
				return
			}
		}
	})})
	conn := dial(t, address)
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.ErrorIs(t, <-failed, os.ErrDeadlineExceeded)
}

// TestBConnectionsCapped: one more than the cap waits until one has gone.
func TestBConnectionsCapped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	address, _ := serve(t, api.ServerConfig{Handler: r.handler, MaxConns: 2})
	ask := func(conn net.Conn) {
		_, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
	}
	first, second := dial(t, address), dial(t, address)
	for _, c := range []net.Conn{first, second} {
		ask(c)
		require.Equal(t, http.StatusOK, status(c))
	}
	third := dial(t, address) // waits in the backlog
	ask(third)
	answered := make(chan int, 1)
	go func() { answered <- status(third) }()
	select {
	case <-answered:
		t.Fatal("a third connection was served")
	case <-time.After(100 * time.Millisecond):
	}
	require.NoError(t, first.Close())
	require.Equal(t, http.StatusOK, <-answered)
}

// TestBLyingContentLength: a body that is shorter or longer than announced.
func TestBLyingContentLength(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good := remoteInstall(host(nil))
	send := func(length, body string) (first int) {
		conn := dial(t, strings.TrimPrefix(r.url, "http://"))
		_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nContent-Length: %s\r\n\r\n%s", create, r.token, length, body)
		require.NoError(t, err)
		require.NoError(t, conn.CloseWrite())
		return status(conn)
	}
	assert.Equal(t, http.StatusBadRequest, send(fmt.Sprint(len(good)+1), good), "too long: the body did not arrive whole")
	assert.Equal(t, http.StatusBadRequest, send(fmt.Sprint(len(good)-1), good), "too short: half a document")
	assert.Equal(t, http.StatusRequestEntityTooLarge, send("2097153", good))
	assert.Equal(t, http.StatusRequestEntityTooLarge, send("9223372036854775807", good))
	for _, length := range []string{"-1", "x", "1, 2", "99999999999999999999", "+5"} {
		assert.Equal(t, http.StatusBadRequest, send(length, good), length)
	}
	r.nothingStored()

	// What follows a short body is read as the next request, and refused.
	conn := dial(t, strings.TrimPrefix(r.url, "http://"))
	_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nContent-Length: 2\r\n\r\n%s\r\n\r\n", create, r.token, good)
	require.NoError(t, err)
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	read(t, resp).refused(t, http.StatusBadRequest, api.CodeBodyInvalid)
	resp, err = http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	_ = resp.Body.Close()
	r.nothingStored()
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	address, _ := serve(t, api.ServerConfig{Handler: r.handler})
	require.Equal(t, http.StatusUnauthorized, rawTo(t, address, "GET "+listing+" HTTP/1.1\r\nHost: x\r\nX-Auth-Token: "+strings.Repeat("a", 16384)+"\r\n\r\n"), "the longest token still fits")
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, rawTo(t, address, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("a", 128<<10)+"\r\n\r\n"))
}
