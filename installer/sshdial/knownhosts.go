package sshdial

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"tripod/installer"
	"tripod/installer/sshconn"
)

func readKnownHosts(paths []string) (ssh.HostKeyCallback, error) {
	return knownhosts.New(slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		_, err := os.Stat(p)
		return errors.Is(err, fs.ErrNotExist)
	})...)
}

type hostAddr string

func (hostAddr) Network() string  { return "tcp" }
func (a hostAddr) String() string { return string(a) }

// probeKey is no host's key: the error of a look-up with it lists the known keys.
var probeKey, _ = ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))

func (h *handshake) loadKnownHosts() *installer.Failure {
	check, err := h.d.known()
	if err != nil {
		return sshconn.Failf(installer.KindHostKeyUnknown, err, "known_hosts cannot be read: %v", err)
	}
	h.pins.known = check
	if ke, ok := errors.AsType[*knownhosts.KeyError](check(h.address, hostAddr(h.address), probeKey)); ok {
		for _, w := range ke.Want {
			h.pins.keys = append(h.pins.keys, w.Key)
		}
	}
	// Which hosts have certificates of a known authority is seen only from theirs.
	h.hostKeyAlgorithms = slices.Concat(certAlgorithms, preferTypes(h.pins.keys))
	return nil
}

func (h *handshake) askKnownHosts(key ssh.PublicKey) *installer.Failure {
	err := h.pins.known(h.address, hostAddr(h.address), key)
	if err == nil {
		return nil
	}
	if ke, ok := errors.AsType[*knownhosts.KeyError](err); ok && len(ke.Want) > 0 {
		w := ke.Want[0]
		return sshconn.Failf(installer.KindHostKeyChanged, err, "%s shows %s, but %s:%d has %s", h.address, describe(key), w.Filename, w.Line, describe(w.Key))
	}
	if re, ok := errors.AsType[*knownhosts.RevokedError](err); ok {
		return sshconn.Failf(installer.KindHostKeyChanged, err, "%s shows %s, which %s:%d revokes", h.address, describe(key), re.Revoked.Filename, re.Revoked.Line)
	}
	return sshconn.Failf(installer.KindHostKeyUnknown, err, "%s shows %s, which is not in known_hosts", h.address, describe(key))
}
