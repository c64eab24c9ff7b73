package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"tripod/installer/api/limits"
)

// ServerConfig is what Serve needs. Listen and Handler are required.
type ServerConfig struct {
	// Listen is "host:port"; port 0 takes any free one.
	Listen string
	// CertFile and KeyFile, both or neither, turn TLS on. When they are renewed,
	// later handshakes use the new ones.
	CertFile, KeyFile string
	Handler           http.Handler
	// Ready, if not nil, gets the real address before the first request.
	Ready func(net.Addr)
	// Logger gets the server's own complaints. Nil: slog.Default().
	Logger *slog.Logger

	limits *serverLimits // nil: defaultLimits
}

// serverLimits bound every client.
type serverLimits struct {
	Header, Read  time.Duration // a request's header; header and body
	Write         time.Duration // from the end of the header to the answer; of a stream: to its end
	Idle          time.Duration // between two requests of one connection
	Login         time.Duration // from the beginning of a connection to a request of it with a login
	ShutdownGrace time.Duration // for the requests that are under way
	Conns         int           // open connections at once
}

var defaultLimits = serverLimits{
	Header: 10 * time.Second, Read: defaultReadTimeout, Write: 2 * time.Minute, Idle: time.Minute,
	Login: 15 * time.Second, ShutdownGrace: 10 * time.Second, Conns: 512,
}

// maxHeader bounds a request's header, in bytes. A token may have 16,384.
const maxHeader = maxToken + 8<<10

const defaultReadTimeout = 30 * time.Second

// http2Limits bound what net/http holds of one connection by itself: 256 KiB of bodies
// that nobody reads, 16 KiB of a frame, and the headers of requests that it refuses.
var http2Limits = http.HTTP2Config{
	MaxConcurrentStreams:          8,
	MaxReadFrameSize:              16 << 10,
	MaxReceiveBufferPerConnection: 256 << 10,
	MaxReceiveBufferPerStream:     256 << 10,
}

// ErrPlainHTTP: the address is not loopback, and there is no certificate.
var ErrPlainHTTP = errors.New("plain HTTP is served on a loopback address only: give a certificate and its key (--tls-cert, --tls-key)")

// Serve listens and serves until ctx is done; then it lets the requests under way finish
// and returns nil. Any other return is an error: ErrPlainHTTP, an address in use.
func Serve(ctx context.Context, c ServerConfig) error {
	c.Logger, c.limits = cmp.Or(c.Logger, slog.Default()), cmp.Or(c.limits, &defaultLimits)
	tlsConfig, err := c.tls()
	if err != nil {
		return err
	}
	ln, err := c.listen(ctx, tlsConfig != nil)
	if err != nil {
		return err
	}
	srv := c.server(tlsConfig)
	if c.Ready != nil {
		c.Ready(ln.Addr())
	}
	bounded := limits.Listen(ln, c.limits.Conns, c.limits.Login)
	served := make(chan error, 1)
	go func() {
		if tlsConfig != nil {
			served <- srv.ServeTLS(bounded, "", "")
			return
		}
		served <- srv.Serve(bounded)
	}()

	select {
	case err := <-served:
		_ = srv.Close()
		return fmt.Errorf("serve on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.limits.ShutdownGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		c.Logger.Warn("requests cut off at shutdown", "error", err)
		_ = srv.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		c.Logger.Warn("the listener ended", "error", err)
	}
	return nil
}

func (c ServerConfig) server(tlsConfig *tls.Config) *http.Server {
	return &http.Server{
		Handler:           c.Handler,
		ConnContext:       limits.ConnContext,
		ReadHeaderTimeout: c.limits.Header,
		ReadTimeout:       c.limits.Read,
		WriteTimeout:      c.limits.Write,
		IdleTimeout:       c.limits.Idle,
		MaxHeaderBytes:    maxHeader,
		TLSConfig:         tlsConfig,
		HTTP2:             &http2Limits,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}
}

func (c ServerConfig) tls() (*tls.Config, error) {
	switch {
	case c.CertFile == "" && c.KeyFile == "":
		return nil, nil
	case c.CertFile == "" || c.KeyFile == "":
		return nil, errors.New("TLS needs both a certificate and its key (--tls-cert, --tls-key)")
	}
	cert, err := loadCertificate(c.CertFile, c.KeyFile, c.Logger)
	if err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: cert.get, MinVersion: tls.VersionTLS12}, nil
}

// listen resolves the name first and listens on the address that it has
// checked, so that the name cannot mean something else a moment later.
func (c ServerConfig) listen(ctx context.Context, secure bool) (net.Listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w", c.Listen, err)
	}
	if !secure && !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, ErrPlainHTTP)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	return ln, nil
}

const certificateCheck = time.Second

// certificate may be renewed in its files: a handshake looks whether it was. What
// cannot be used does not take the place of what can.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	refused string // why the files could not be used, last
	checked time.Time
}

func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("load the TLS certificate: %w", err)
	}
	return &certificate{certFile: certFile, keyFile: keyFile, log: log, current: &cert, checked: time.Now()}, nil
}

// get is tls.Config.GetCertificate. Cert and key are two files, so for a moment the
// one may not fit the other: they are tried again.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < certificateCheck {
		return c.current, nil
	}
	c.checked = time.Now()
	renewed, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	switch {
	case err == nil && slices.EqualFunc(renewed.Certificate, c.current.Certificate, bytes.Equal):
		c.refused = ""
		return c.current, nil
	case err == nil && c.checked.After(renewed.Leaf.NotAfter):
		err = errors.New("it has expired")
	}
	if err == nil {
		c.current, c.refused = &renewed, ""
		c.log.Info("TLS certificate renewed", "cert", c.certFile, "until", renewed.Leaf.NotAfter)
	} else if c.refused != err.Error() {
		c.refused = err.Error()
		c.log.Error("the new TLS certificate cannot be used; the old one stays", "cert", c.certFile, "key", c.keyFile, "error", err)
	}
	return c.current, nil
}
