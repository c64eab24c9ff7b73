package api

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"tripod/installer/api/limits"
)

// ServerConfig is what Serve needs. Listen and Handler are required; a zero
// duration or number means its default.
type ServerConfig struct {
	// Listen is "host:port"; port 0 takes any free one.
	Listen string
	// CertFile and KeyFile, both or neither, turn TLS on. When they are renewed,
	// later handshakes use the new ones.
	CertFile, KeyFile string
	// AllowPlain serves plain HTTP on an address that is not loopback: tokens
	// and passwords then cross the network readable. Only by explicit flag.
	AllowPlain bool
	Handler    http.Handler
	// Ready, if not nil, is told the real address before the first request.
	Ready func(net.Addr)
	// Logger gets the server's own complaints. Nil: slog.Default().
	Logger *slog.Logger

	HeaderTimeout time.Duration // a request's header must have arrived; default 10 s
	ReadTimeout   time.Duration // header and body; default 30 s
	WriteTimeout  time.Duration // from the end of the header to the end of the answer; default 2 min
	IdleTimeout   time.Duration // between two requests of one connection; default 1 min
	ShutdownGrace time.Duration // for the requests that are under way; default 10 s
	// LoginTimeout is for a connection of which no request was authenticated yet: to
	// send its next one, header and TLS handshake included; default 5 s.
	LoginTimeout time.Duration
	MaxConns     int // open connections at once; default 512
}

// maxHeader bounds a request's header, in bytes. A token may have 16,384.
const maxHeader = 64 << 10

// defaultReadTimeout is ServerConfig.ReadTimeout if nothing is said.
const defaultReadTimeout = 30 * time.Second

// http2Limits bound what the server holds of one connection by itself: 256 KiB of
// bodies that nobody reads, and 16 KiB of a frame.
var http2Limits = http.HTTP2Config{
	MaxConcurrentStreams:          32,
	MaxReadFrameSize:              16 << 10,
	MaxReceiveBufferPerConnection: 256 << 10,
	MaxReceiveBufferPerStream:     256 << 10,
}

// ErrPlainHTTP: the address is not loopback, and there is no certificate.
var ErrPlainHTTP = errors.New("plain HTTP is served on a loopback address only: give a certificate and its key (--tls-cert, --tls-key)")

// Serve listens and serves until ctx is done; then it takes no new
// connection, lets the requests under way finish within ShutdownGrace, and
// returns nil. Any other return is an error: ErrPlainHTTP, a bad certificate,
// an address in use.
func Serve(ctx context.Context, c ServerConfig) error {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	tlsConfig, err := c.tls()
	if err != nil {
		return err
	}
	ln, err := c.listen(ctx, tlsConfig != nil)
	if err != nil {
		return err
	}
	c = c.withDefaults()
	srv := c.server(tlsConfig)
	if c.Ready != nil {
		c.Ready(ln.Addr())
	}
	bounded := limits.Listen(ln, c.MaxConns, c.LoginTimeout)
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
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ShutdownGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		c.Logger.Warn("requests cut off at shutdown", "error", err)
		_ = srv.Close()
	}
	<-served
	return nil
}

// withDefaults puts the default in place of every limit that is not given.
func (c ServerConfig) withDefaults() ServerConfig {
	c.HeaderTimeout = cmp.Or(c.HeaderTimeout, 10*time.Second)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, defaultReadTimeout)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 2*time.Minute)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, time.Minute)
	c.LoginTimeout = cmp.Or(c.LoginTimeout, 5*time.Second)
	c.ShutdownGrace = cmp.Or(c.ShutdownGrace, 10*time.Second)
	c.MaxConns = cmp.Or(c.MaxConns, 512)
	return c
}

// server has c's limits; they bound every client.
func (c ServerConfig) server(tlsConfig *tls.Config) *http.Server {
	return &http.Server{
		Handler:           limits.Counted(c.Handler),
		ConnContext:       limits.ConnContext,
		ReadHeaderTimeout: c.HeaderTimeout,
		ReadTimeout:       c.ReadTimeout,
		WriteTimeout:      c.WriteTimeout,
		IdleTimeout:       c.IdleTimeout,
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
// judged, so that the name cannot mean something else a moment later.
func (c ServerConfig) listen(ctx context.Context, secure bool) (net.Listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w", c.Listen, err)
	}
	if !secure && !c.AllowPlain && !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, ErrPlainHTTP)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	return ln, nil
}
