package sshdial

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshconn"
)

type pins struct {
	fingerprint string              // given by the user, "SHA256:…"; goes before keys
	keys        []ssh.PublicKey     // given by the user, pinned earlier, or found in known_hosts
	known       ssh.HostKeyCallback // also asks known_hosts itself (certificates, revoked keys)
}

func (h *handshake) loadPins(ctx context.Context) *installer.Failure {
	if h.to.HostKey != "" {
		p, err := parsePin(h.to.HostKey)
		if err != nil {
			return sshconn.Failf(installer.KindHostKeyUnknown, err, "the host key given for %s is neither \"TYPE BASE64\" nor \"SHA256:…\"", h.address)
		}
		h.pins = p
		return nil
	}
	if h.policy == installer.Insecure {
		return nil
	}
	keys, fail := h.storedKeys(ctx)
	if fail != nil {
		return fail
	}
	h.pins.keys = keys
	if h.policy == installer.Strict && len(keys) == 0 {
		return h.loadKnownHosts()
	}
	return nil
}

func (h *handshake) storedKeys(ctx context.Context) ([]ssh.PublicKey, *installer.Failure) {
	store := h.d.cfg.HostKeys
	if store == nil {
		if h.policy == installer.Strict {
			return nil, nil
		}
		return nil, sshconn.Failf(installer.KindInternal, nil, "no store for host keys")
	}
	lines, err := store.PinnedKeys(ctx, h.project, h.address)
	if err != nil {
		if ctx.Err() != nil {
			return nil, sshconn.ContextFailure(ctx, "while reading the pinned host keys")
		}
		return nil, sshconn.Failf(installer.KindInternal, err, "the pinned host keys cannot be read")
	}
	keys := make([]ssh.PublicKey, 0, len(lines))
	for _, line := range lines {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, sshconn.Failf(installer.KindInternal, err, "a pinned host key of %s is damaged", h.address)
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
func (h *handshake) checkHostKey(ctx context.Context, key ssh.PublicKey) error {
	blob := key.Marshal()
	if h.accepted != nil {
		if bytes.Equal(h.accepted, blob) {
			return nil
		}
		return errors.New("the host key changed within a connection")
	}
	if fail := h.judgeHostKey(ctx, key, blob); fail != nil {
		h.fail = fail
		return fail
	}
	h.accepted = blob
	h.beginAuth()
	return nil
}

func (h *handshake) judgeHostKey(ctx context.Context, key ssh.PublicKey, blob []byte) *installer.Failure {
	p := &h.pins
	switch {
	case p.fingerprint != "":
		if ssh.FingerprintSHA256(key) == p.fingerprint {
			return nil
		}
		h.seenTypes = append(h.seenTypes, algorithmsFor(key.Type())...)
		return sshconn.Failf(installer.KindHostKeyChanged, nil, "%s shows %s, but %s was given for it", h.address, describe(key), p.fingerprint)
	case p.known != nil:
		return h.askKnownHosts(key)
	case len(p.keys) > 0:
		return h.matchKeys(p.keys, key, blob)
	case h.policy == installer.Insecure:
		return nil
	case h.policy == installer.Strict:
		return sshconn.Failf(installer.KindHostKeyUnknown, nil, "%s shows %s, which is not known", h.address, describe(key))
	}
	h.pinning = make(chan *installer.Failure, 1)
	go func() { h.pinning <- h.pinNew(ctx, key, blob) }()
	return nil
}

// keyIsPinned waits until a new host key is on disk, which takes as long as the beginning of the login.
// Before that nothing secret is sent, and nobody gets the connection.
func (h *handshake) keyIsPinned() bool {
	if h.pinning == nil {
		return true
	}
	h.fail = cmp.Or(<-h.pinning, h.fail)
	h.pinning = nil
	return h.fail == nil
}

func (h *handshake) matchKeys(known []ssh.PublicKey, key ssh.PublicKey, blob []byte) *installer.Failure {
	names := make([]string, len(known))
	for i, k := range known {
		if bytes.Equal(k.Marshal(), blob) {
			return nil
		}
		names[i] = describe(k)
	}
	source := "is pinned"
	if h.to.HostKey != "" {
		source = "was given for it"
	}
	return sshconn.Failf(installer.KindHostKeyChanged, nil, "%s shows %s, but %s %s", h.address, describe(key), strings.Join(names, " or "), source)
}

// pinNew pins the key of a first contact. Another connection may have been
// first, so it looks again, one at a time for each host.
func (h *handshake) pinNew(ctx context.Context, key ssh.PublicKey, blob []byte) *installer.Failure {
	mu := h.d.pinLock(h.project, h.address)
	mu.Lock()
	defer mu.Unlock()
	keys, fail := h.storedKeys(ctx)
	if fail != nil {
		return fail
	}
	if len(keys) > 0 {
		return h.matchKeys(keys, key, blob)
	}
	line := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n")
	if err := h.d.cfg.HostKeys.PinKey(ctx, h.project, h.address, line); err != nil {
		if ctx.Err() != nil {
			return sshconn.ContextFailure(ctx, "while pinning the host key")
		}
		return sshconn.Failf(installer.KindInternal, err, "the host key of %s cannot be stored, so no credential was sent", h.address)
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
