package sshconn

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"tripod/installer"
)

// knownHosts reads the known_hosts files once, when they are first needed.
type knownHosts struct {
	paths []string
	once  sync.Once
	check ssh.HostKeyCallback
	err   error
}

func (k *knownHosts) load() (ssh.HostKeyCallback, error) {
	k.once.Do(func() {
		var found []string
		for _, p := range k.paths {
			if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) {
				found = append(found, p)
			}
		}
		k.check, k.err = knownhosts.New(found...)
	})
	return k.check, k.err
}

// hostAddr is the address that a key is looked up by.
type hostAddr string

func (hostAddr) Network() string  { return "tcp" }
func (a hostAddr) String() string { return string(a) }

// probeKey is nobody's key; asking for it tells which keys are known.
var probeKey = func() ssh.PublicKey {
	key, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		panic(err)
	}
	return key
}()

func (a *attempt) loadKnownHosts() *installer.Failure {
	check, err := a.d.known.load()
	if err != nil {
		return failf(installer.KindHostKeyUnknown, err, "known_hosts cannot be read: %v", err)
	}
	a.pins.known = check
	if ke, ok := errors.AsType[*knownhosts.KeyError](check(a.address, hostAddr(a.address), probeKey)); ok {
		for _, w := range ke.Want {
			a.pins.keys = append(a.pins.keys, w.Key)
		}
	}
	// A known authority shows itself only when its certificate comes.
	a.hostKeyAlgorithms = slices.Concat(certAlgorithms, preferTypes(a.pins.keys))
	return nil
}

func (a *attempt) askKnownHosts(key ssh.PublicKey) *installer.Failure {
	err := a.pins.known(a.address, hostAddr(a.address), key)
	if err == nil {
		return nil
	}
	if ke, ok := errors.AsType[*knownhosts.KeyError](err); ok && len(ke.Want) > 0 {
		w := ke.Want[0]
		return failf(installer.KindHostKeyChanged, err, "%s shows %s, but %s:%d has %s", a.address, describe(key), w.Filename, w.Line, describe(w.Key))
	}
	if re, ok := errors.AsType[*knownhosts.RevokedError](err); ok {
		return failf(installer.KindHostKeyChanged, err, "%s shows %s, which %s:%d revokes", a.address, describe(key), re.Revoked.Filename, re.Revoked.Line)
	}
	return failf(installer.KindHostKeyUnknown, err, "%s shows %s, which is not in known_hosts", a.address, describe(key))
}
