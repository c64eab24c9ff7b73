package api

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateLook is how often at most the files are looked at.
const certificateLook = time.Second

// certificate is a TLS certificate whose files may be renewed: a handshake
// looks whether they were, at most once a second. What cannot be used does not
// take the place of what can, and is said in the log once.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	clock             func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	from    fileStamps // of current
	refused fileStamps // what could not be used, last
	looked  time.Time
}

// fileStamps tell one version of the two files from another.
type fileStamps [2]struct {
	modified time.Time
	size     int64
}

// loadCertificate reads the files for the first time.
func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log, clock: time.Now}
	stamps, err := c.stamps()
	if err != nil {
		return nil, fmt.Errorf("load the TLS certificate: %w", err)
	}
	if c.current, err = c.load(); err != nil {
		return nil, fmt.Errorf("load the TLS certificate: %w", err)
	}
	c.from, c.looked = stamps, c.clock()
	return c, nil
}

// get is tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.clock(); now.Sub(c.looked) >= certificateLook || now.Before(c.looked) {
		c.looked = now
		c.renew(now)
	}
	return c.current, nil
}

// renew takes over new files if they are fit. Cert and key are two files, so
// for a moment the one may not fit the other: they are tried again.
func (c *certificate) renew(now time.Time) {
	stamps, err := c.stamps()
	if err == nil && stamps == c.from {
		return
	}
	var renewed *tls.Certificate
	if err == nil {
		renewed, err = c.load()
	}
	if err == nil && renewed.Leaf != nil && now.After(renewed.Leaf.NotAfter) {
		err = errors.New("it has expired")
	}
	if err != nil {
		if stamps != c.refused {
			c.log.Error("the new TLS certificate cannot be used; the old one stays", "cert", c.certFile, "key", c.keyFile, "error", err)
		}
		c.refused = stamps
		return
	}
	c.current, c.from = renewed, stamps
	c.log.Info("TLS certificate renewed", "cert", c.certFile, "until", renewed.Leaf.NotAfter)
}

func (c *certificate) load() (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	return &cert, err
}

func (c *certificate) stamps() (s fileStamps, err error) {
	for i, path := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(path) // through links: renewal tools swing them
		if err != nil {
			return s, err
		}
		s[i].modified, s[i].size = info.ModTime(), info.Size()
	}
	return s, nil
}
