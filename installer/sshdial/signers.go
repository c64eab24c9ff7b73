package sshdial

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/privkey"
)

const (
	maxSigners = 64
	signerIdle = 10 * time.Minute
)

// signerCache parses each distinct private key once, however many hosts use
// it: an encrypted key costs some 100 ms. Entries are found by a keyed hash,
// so no key text is kept, only the parsed key.
type signerCache struct {
	salt [32]byte

	mu      sync.Mutex
	entries map[[32]byte]*signerEntry
}

type signerEntry struct {
	parse func() (ssh.Signer, error)
	used  time.Time
}

func newSignerCache() *signerCache {
	c := &signerCache{entries: make(map[[32]byte]*signerEntry)}
	_, _ = rand.Read(c.salt[:]) // never fails
	return c
}

func (c *signerCache) get(pem, passphrase installer.Secret) (ssh.Signer, error) {
	id := c.hash(pem.Reveal(), passphrase.Reveal())
	now := time.Now()
	c.mu.Lock()
	maps.DeleteFunc(c.entries, func(_ [32]byte, e *signerEntry) bool { return now.Sub(e.used) > signerIdle })
	e := c.entries[id]
	if e == nil {
		if len(c.entries) >= maxSigners {
			for other := range c.entries { // any one
				delete(c.entries, other)
				break
			}
		}
		e = &signerEntry{parse: sync.OnceValues(func() (ssh.Signer, error) { return parseSigner(pem, passphrase) })}
		c.entries[id] = e
	}
	e.used = now
	c.mu.Unlock()
	return e.parse()
}

func (c *signerCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
}

func (c *signerCache) hash(parts ...string) [32]byte {
	h := hmac.New(sha256.New, c.salt[:])
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		_, _ = h.Write(n[:])
		_, _ = h.Write([]byte(p))
	}
	return [32]byte(h.Sum(nil))
}

// parseSigner parses a key; an RSA key never signs with SHA-1.
func parseSigner(pem, passphrase installer.Secret) (ssh.Signer, error) {
	s, err := privkey.Parse(pem, passphrase)
	if err != nil {
		return nil, err
	}
	if s.PublicKey().Type() != ssh.KeyAlgoRSA {
		return s, nil
	}
	if as, ok := s.(ssh.AlgorithmSigner); ok {
		return ssh.NewSignerWithAlgorithms(as, rsaSignatures)
	}
	return s, nil
}
