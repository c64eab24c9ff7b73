package sshconn

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
)

// attempt is one try to connect to one server: what is wanted, and what has
// been seen so far.
type attempt struct {
	d       *Dialer
	to      installer.Endpoint
	user    string
	address string // "address:port"
	project string
	pin     string
	policy  installer.HostKeyPolicy
	login   installer.Login
	signer  ssh.Signer // nil: no private key

	pins              pins
	hostKeyAlgorithms []string
	seenTypes         []string // tried for a pinned fingerprint

	wire      *wire
	authing   atomic.Bool
	accepted  []byte             // the host key
	fail      *installer.Failure // decided by a callback
	lastShown *installer.Failure // the mismatch of the type tried before
	authState
}

// prepare does everything that needs no network.
func (a *attempt) prepare(ctx context.Context) *installer.Failure {
	if a.login.IsZero() {
		return failf(installer.KindCredentialMissing, nil, "neither password nor private key for %s@%s", a.user, a.address)
	}
	if !a.login.PrivateKey.IsZero() {
		s, err := a.d.signers.get(a.login.PrivateKey, a.login.Passphrase)
		if err != nil {
			return failf(installer.KindCredentialMissing, err, "the private key for %s@%s is not usable: %v", a.user, a.address, err)
		}
		a.signer = s
	}
	if fail := a.loadPins(ctx); fail != nil {
		return fail
	}
	if a.hostKeyAlgorithms == nil {
		a.hostKeyAlgorithms = preferTypes(a.pins.keys)
	}
	return nil
}

// handshake speaks SSH on nc up to the successful login. nc is closed if it
// fails.
func (a *attempt) handshake(ctx context.Context, nc net.Conn) (*Conn, *installer.Failure) {
	a.wire = &wire{Conn: nc}
	a.authing.Store(false)
	a.accepted, a.fail, a.authState = nil, nil, authState{}
	_ = nc.SetDeadline(time.Now().Add(a.d.limits.Handshake))
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	sc, chans, reqs, err := ssh.NewClientConn(a.wire, a.address, &ssh.ClientConfig{
		Config: ssh.Config{
			KeyExchanges: keyExchanges,
			Ciphers:      ciphers,
			MACs:         macs,
		},
		User:              a.user,
		ClientVersion:     clientVersion,
		HostKeyAlgorithms: a.hostKeyAlgorithms,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			return a.checkHostKey(ctx, key)
		},
		BannerCallback: a.takeBanner,
		AuthCallback:   a.nextMethod,
	})
	if !stop() || err != nil {
		_ = nc.Close()
		if err == nil {
			_ = sc.Close()
			go discard(chans, reqs)
		}
		return nil, a.classify(ctx, err)
	}
	_ = nc.SetDeadline(time.Time{})
	if sl, ok := nc.(*slotConn); ok {
		sl.handshakeOver()
	}
	a.login, a.signer = installer.Login{}, nil // the connection keeps a for later key exchanges
	return newConn(a.d, sc, a.wire, chans, reqs), nil
}

// beginAuth starts the clock of the login.
func (a *attempt) beginAuth() {
	a.authing.Store(true)
	_ = a.wire.SetDeadline(time.Now().Add(a.d.limits.Auth))
}

// tryOtherType tells whether the pinned fingerprint may be that of a key of
// another type, and has the next handshake ask for it.
func (a *attempt) tryOtherType(fail *installer.Failure) bool {
	if a.pins.fingerprint == "" || fail.Kind != installer.KindHostKeyChanged || len(a.seenTypes) == 0 {
		return false
	}
	left := slices.DeleteFunc(slices.Clone(a.hostKeyAlgorithms), func(alg string) bool {
		return slices.Contains(a.seenTypes, alg)
	})
	if len(left) == 0 || len(left) == len(a.hostKeyAlgorithms) {
		return false
	}
	a.hostKeyAlgorithms, a.lastShown = left, fail
	return true
}

// classify says what a failed handshake was.
func (a *attempt) classify(ctx context.Context, err error) *installer.Failure {
	if ctx.Err() != nil {
		return ctxFailure(ctx, "while connecting to "+a.address)
	}
	if a.fail != nil {
		return a.fail
	}
	if a.authing.Load() {
		return a.classifyAuth(err)
	}
	below := a.wire.err()
	switch {
	case errors.Is(below, os.ErrDeadlineExceeded):
		what := "accepted the connection but did not finish the SSH handshake"
		if !a.wire.version {
			what = "accepted the connection but sent no SSH version"
		}
		return failf(installer.KindHandshakeTimeout, err, "%s %s within %s", a.address, what, a.d.limits.Handshake)
	case !a.wire.version:
		return a.classifyVersion(below, err)
	}
	if ne, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err); ok {
		if a.lastShown != nil && strings.Contains(ne.What, "host key") {
			return a.lastShown // no further type of host key there
		}
		return failf(installer.KindHandshakeFailed, err, "%s: no common algorithm for %s: it offers %s", a.address, ne.What, quote(strings.Join(ne.RequestedAlgorithms, ",")))
	}
	if disconnected(err, 12) {
		return failf(installer.KindThrottled, err, "%s: too many connections, says the server", a.address)
	}
	if below != nil {
		return failf(installer.KindHandshakeFailed, err, "%s closed the connection during the key exchange", a.address)
	}
	return failf(installer.KindHandshakeFailed, err, "%s: %s", a.address, quote(strings.TrimPrefix(err.Error(), "ssh: handshake failed: ")))
}

// classifyVersion: no SSH version came.
func (a *attempt) classifyVersion(below, err error) *installer.Failure {
	said := a.wire.said()
	switch {
	case errors.Is(below, errThrottled) || turnedAway(said):
		return failf(installer.KindThrottled, err, "%s: %s", a.address, quote(string(a.wire.line)))
	case len(said) > 0:
		return failf(installer.KindHandshakeFailed, err, "%s is no SSH server: it sent %s", a.address, quote(string(said)))
	case closedByPeer(below):
		return failf(installer.KindThrottled, err, "%s closed the connection before its SSH version (MaxStartups, a ban, or TCP wrappers)", a.address)
	}
	return failf(installer.KindHandshakeFailed, err, "%s sent no SSH version", a.address)
}

func closedByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}
