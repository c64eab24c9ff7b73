package api

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

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
