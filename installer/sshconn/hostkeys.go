package sshconn

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

// pins are what a server's key must be.
type pins struct {
	// fingerprint was given by the user, "SHA256:…"; it goes before keys.
	fingerprint string
	// keys were given by the user, pinned earlier, or found in known_hosts.
	keys []ssh.PublicKey
	// known also asks known_hosts itself (certificates, revoked keys).
	known ssh.HostKeyCallback
}

// loadPins finds out what is known about the host before anything is dialled.
func (a *attempt) loadPins(ctx context.Context) *installer.Failure {
	if a.pin != "" {
		p, err := parsePin(a.pin)
		if err != nil {
			return failf(installer.KindHostKeyUnknown, err, "the host key given for %s is neither \"TYPE BASE64\" nor \"SHA256:…\"", a.address)
		}
		a.pins = p
		return nil
	}
	if a.policy == installer.Insecure {
		return nil
	}
	keys, fail := a.storedKeys(ctx)
	if fail != nil {
		return fail
	}
	a.pins.keys = keys
	if a.policy == installer.Strict && len(keys) == 0 {
		return a.loadKnownHosts()
	}
	return nil
}

func (a *attempt) storedKeys(ctx context.Context) ([]ssh.PublicKey, *installer.Failure) {
	store := a.d.cfg.HostKeys
	if store == nil {
		if a.policy == installer.Strict {
			return nil, nil
		}
		return nil, failf(installer.KindInternal, nil, "no place to keep host keys in")
	}
	lines, err := store.PinnedKeys(ctx, a.project, a.address)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctxFailure(ctx, "while reading the pinned host keys")
		}
		return nil, failf(installer.KindInternal, err, "the pinned host keys cannot be read")
	}
	keys := make([]ssh.PublicKey, 0, len(lines))
	for _, line := range lines {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, failf(installer.KindInternal, err, "a pinned host key of %s is damaged", a.address)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parsePin(pin string) (pins, error) {
	pin = strings.TrimSpace(pin)
	if fp, ok := strings.CutPrefix(pin, "SHA256:"); ok && len(strings.TrimRight(fp, "=")) == 43 {
		return pins{fingerprint: "SHA256:" + strings.TrimRight(fp, "=")}, nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(pin))
	if err != nil {
		return pins{}, err
	}
	return pins{keys: []ssh.PublicKey{key}}, nil
}

// checkHostKey is the ssh.HostKeyCallback. It runs before anything secret is
// sent, and again at each later key exchange.
func (a *attempt) checkHostKey(ctx context.Context, key ssh.PublicKey) error {
	blob := key.Marshal()
	if a.accepted != nil {
		if bytes.Equal(a.accepted, blob) {
			return nil
		}
		return errors.New("the host key changed within a connection")
	}
	if fail := a.judgeHostKey(ctx, key, blob); fail != nil {
		a.fail = fail
		return fail
	}
	a.accepted = blob
	a.beginAuth()
	return nil
}

func (a *attempt) judgeHostKey(ctx context.Context, key ssh.PublicKey, blob []byte) *installer.Failure {
	p := &a.pins
	switch {
	case p.fingerprint != "":
		if ssh.FingerprintSHA256(key) == p.fingerprint {
			return nil
		}
		a.seenTypes = append(a.seenTypes, algorithmsFor(key.Type())...)
		return failf(installer.KindHostKeyChanged, nil, "%s shows %s, but %s was given for it", a.address, describe(key), p.fingerprint)
	case p.known != nil:
		return a.askKnownHosts(key)
	case len(p.keys) > 0:
		return a.matchKeys(p.keys, key, blob)
	case a.policy == installer.Insecure:
		return nil
	case a.policy == installer.Strict:
		return failf(installer.KindHostKeyUnknown, nil, "%s shows %s, which is not known", a.address, describe(key))
	}
	return a.pinNew(ctx, key, blob)
}

func (a *attempt) matchKeys(known []ssh.PublicKey, key ssh.PublicKey, blob []byte) *installer.Failure {
	names := make([]string, len(known))
	for i, k := range known {
		if bytes.Equal(k.Marshal(), blob) {
			return nil
		}
		names[i] = describe(k)
	}
	said := "is pinned"
	if a.pin != "" {
		said = "was given for it"
	}
	return failf(installer.KindHostKeyChanged, nil, "%s shows %s, but %s %s", a.address, describe(key), strings.Join(names, " or "), said)
}

// pinNew stores the key of first sight. Another connection may have been there
// first, so it looks again, one at a time for each host.
func (a *attempt) pinNew(ctx context.Context, key ssh.PublicKey, blob []byte) *installer.Failure {
	mu := a.d.pinLock(a.project, a.address)
	mu.Lock()
	defer mu.Unlock()
	keys, fail := a.storedKeys(ctx)
	if fail != nil {
		return fail
	}
	if len(keys) > 0 {
		return a.matchKeys(keys, key, blob)
	}
	line := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n")
	if err := a.d.cfg.HostKeys.PinKey(ctx, a.project, a.address, line); err != nil {
		if ctx.Err() != nil {
			return ctxFailure(ctx, "while pinning the host key")
		}
		return failf(installer.KindInternal, err, "the host key of %s cannot be stored, so no credential was sent", a.address)
	}
	return nil
}

func describe(key ssh.PublicKey) string {
	return key.Type() + " " + ssh.FingerprintSHA256(key)
}

var pinSeed = maphash.MakeSeed()

func (d *Dialer) pinLock(project, address string) *sync.Mutex {
	return &d.pinning[maphash.String(pinSeed, project+"\x00"+address)%uint64(len(d.pinning))]
}
