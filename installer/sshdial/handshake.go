package sshdial

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshconn"
)

type handshake struct {
	d       *Dialer
	to      installer.Endpoint
	address string // "address:port"
	project string
	policy  installer.HostKeyPolicy
	login   installer.Login
	signer  ssh.Signer // nil: no private key
	guard   installer.PasswordGuard

	pins              pins
	hostKeyAlgorithms []string
	seenTypes         []string // tried for a pinned fingerprint

	wire     *preambleReader
	authing  atomic.Bool
	accepted []byte                  // the host key
	fail     *installer.Failure      // decided by a callback
	pinning  chan *installer.Failure // a new host key is being stored; nil: none is
	mismatch *installer.Failure      // of the key type tried before
	authState
}

// newHandshake has no guard: those with jump hosts need none, because the breaker remembers what one has refused.
func (d *Dialer) newHandshake(project string, to installer.Endpoint, login installer.Login, policy installer.HostKeyPolicy) *handshake {
	return &handshake{d: d, to: to, address: to.HostPort(), project: project, policy: policy, login: login}
}

// fresh is the same handshake, not begun yet.
func (h *handshake) fresh() *handshake {
	again := h.d.newHandshake(h.project, h.to, h.login, h.policy)
	again.guard = h.guard
	return again
}

func (h *handshake) prepare(ctx context.Context) *installer.Failure {
	if h.login.IsZero() {
		return sshconn.Failf(installer.KindCredentialMissing, nil, "neither password nor private key for %s@%s", h.to.User, h.address)
	}
	if !h.login.PrivateKey.IsZero() {
		s, err := h.d.signers.get(h.login.PrivateKey, h.login.Passphrase)
		if err != nil {
			return sshconn.Failf(installer.KindCredentialMissing, err, "the private key for %s@%s is not usable: %v", h.to.User, h.address, err)
		}
		h.signer = s
	}
	if fail := h.loadPins(ctx); fail != nil {
		return fail
	}
	if h.hostKeyAlgorithms == nil {
		h.hostKeyAlgorithms = preferTypes(h.pins.keys)
	}
	return nil
}

// connect dials and shakes hands, within one of the slots if there are any. A
// server may have keys of several types, and a pinned fingerprint does not tell
// which one it is of: then, and only then, it dials again and asks for another
// type. Nothing secret has been sent before.
func (h *handshake) connect(ctx context.Context, slots chan struct{}, dial func() (net.Conn, *installer.Failure)) (*sshconn.Conn, *installer.Failure) {
	for {
		nc, fail := dial()
		if fail != nil {
			return nil, fail
		}
		c, fail := h.inSlot(ctx, slots, nc)
		if fail == nil || !h.tryOtherType(fail) {
			return c, fail
		}
	}
}

func (h *handshake) inSlot(ctx context.Context, slots chan struct{}, nc net.Conn) (*sshconn.Conn, *installer.Failure) {
	if slots != nil {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			_ = nc.Close()
			return nil, sshconn.ContextFailure(ctx, "while waiting for a handshake with "+h.address)
		}
	}
	return h.run(ctx, nc)
}

// run closes nc if it fails.
func (h *handshake) run(ctx context.Context, nc net.Conn) (*sshconn.Conn, *installer.Failure) {
	h.wire = newPreambleReader(sshconn.NewWire(nc))
	h.authing.Store(false)
	h.accepted, h.fail, h.authState = nil, nil, authState{}
	_ = nc.SetDeadline(time.Now().Add(h.d.limits.Handshake))
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	sc, chans, reqs, err := ssh.NewClientConn(h.wire, h.address, &ssh.ClientConfig{
		Config:            ssh.Config{KeyExchanges: keyExchanges, Ciphers: ciphers, MACs: macs},
		User:              h.to.User,
		ClientVersion:     clientVersion,
		HostKeyAlgorithms: h.hostKeyAlgorithms,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			return h.checkHostKey(ctx, key)
		},
		BannerCallback: h.takeBanner,
		AuthCallback: func(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			return h.nextMethod(ctx, c)
		},
	})
	stopped := stop()
	if !h.keyIsPinned() && err == nil {
		err = h.fail
		_ = sc.Close()
	}
	if err != nil {
		_ = nc.Close()
		fail := h.classify(ctx, err)
		h.tellGuard(fail)
		return nil, fail
	}
	h.tellGuard(nil)
	c := sshconn.New(sc, chans, reqs, h.wire.Wire, h.d.limits)
	if !stopped {
		_ = c.Close()
		return nil, h.classify(ctx, nil)
	}
	_ = nc.SetDeadline(time.Time{})
	if h.to.User == "root" {
		h.d.rootLogins.Store(true)
	}
	h.login, h.signer = installer.Login{}, nil // the connection keeps h for later key exchanges
	return c, nil
}

func (h *handshake) beginAuth() {
	h.authing.Store(true)
	_ = h.wire.SetDeadline(time.Now().Add(h.d.limits.Auth))
}

// tryOtherType has the next handshake ask for a type of key that the pinned fingerprint may be of.
func (h *handshake) tryOtherType(fail *installer.Failure) bool {
	if h.pins.fingerprint == "" || fail.Kind != installer.KindHostKeyChanged || len(h.seenTypes) == 0 {
		return false
	}
	left := slices.DeleteFunc(slices.Clone(h.hostKeyAlgorithms), func(alg string) bool {
		return slices.Contains(h.seenTypes, alg)
	})
	if len(left) == 0 || len(left) == len(h.hostKeyAlgorithms) {
		return false
	}
	h.hostKeyAlgorithms, h.mismatch = left, fail
	return true
}

func (h *handshake) classify(ctx context.Context, err error) *installer.Failure {
	if ctx.Err() != nil {
		return sshconn.ContextFailure(ctx, "while connecting to "+h.address)
	}
	if h.fail != nil {
		return h.fail
	}
	if h.authing.Load() {
		return h.classifyAuth(err)
	}
	below := h.wire.Err()
	switch {
	case errors.Is(below, os.ErrDeadlineExceeded):
		missing := "did not finish the SSH handshake"
		if !h.wire.version {
			missing = "sent no SSH version"
		}
		return sshconn.Failf(installer.KindHandshakeTimeout, err, "%s accepted the connection but %s within %s", h.address, missing, h.d.limits.Handshake)
	case !h.wire.version:
		return h.classifyVersion(below, err)
	}
	if ne, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err); ok {
		if h.mismatch != nil && strings.Contains(ne.What, "host key") {
			return h.mismatch // no further type of host key there
		}
		return sshconn.Failf(installer.KindHandshakeFailed, err, "%s: no common algorithm for %s: it offers %s", h.address, ne.What, sshconn.Quote(strings.Join(ne.RequestedAlgorithms, ",")))
	}
	if disconnected(err, 12) {
		return sshconn.Failf(installer.KindThrottled, err, "%s: the server reports too many connections", h.address)
	}
	if below != nil {
		return sshconn.Failf(installer.KindHandshakeFailed, err, "%s closed the connection during the key exchange", h.address)
	}
	return sshconn.Failf(installer.KindHandshakeFailed, err, "%s: %s", h.address, h.quote(trimSSH(err)))
}

func (h *handshake) classifyVersion(below, err error) *installer.Failure {
	received := h.wire.received()
	switch {
	case errors.Is(below, errThrottled):
		return sshconn.Failf(installer.KindThrottled, err, "%s: %s", h.address, sshconn.Quote(string(h.wire.throttled)))
	case saysThrottled(received):
		return sshconn.Failf(installer.KindThrottled, err, "%s: %s", h.address, sshconn.Quote(string(received)))
	case len(received) > 0:
		return sshconn.Failf(installer.KindHandshakeFailed, err, "%s is no SSH server: it sent %s", h.address, sshconn.Quote(string(received)))
	case closedByPeer(below):
		return sshconn.Failf(installer.KindThrottled, err, "%s closed the connection before its SSH version (MaxStartups, a ban, or TCP wrappers)", h.address)
	}
	return sshconn.Failf(installer.KindHandshakeFailed, err, "%s sent no SSH version", h.address)
}

func closedByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}
