package sshconn

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

// maxBanner is how many bytes of banner a server may send while we log in;
// maxBannerKept of them are looked at afterwards.
const (
	maxBanner     = 64 << 10
	maxBannerKept = 2 << 10
)

// The authentication methods, as in RFC 4252 and 4256.
const (
	methodPublicKey   = "publickey"
	methodPassword    = "password"
	methodInteractive = "keyboard-interactive"
)

// authState is what has happened in one login.
type authState struct {
	allowed   []string // by the server, as it said last
	tried     []string // by us, in order
	partial   bool     // the server was content with a part and wants more
	answered  bool     // the password has been put to the server
	expired   bool     // the server asked for a new password
	unknown   string   // a question that we have no answer to
	banner    []byte
	bannerLen int
}

var errBanner = errors.New("the server floods the login with banners")

func (a *attempt) takeBanner(text string) error {
	a.bannerLen += len(text)
	if a.bannerLen > maxBanner {
		// No error is returned: x/crypto would stop to read, and its reading
		// goroutine would wait for ever with what the flood still brings.
		a.fail = failf(installer.KindHandshakeFailed, errBanner, "%s sends more than %d bytes of banner", a.address, maxBanner)
		_ = a.wire.Close()
		return nil
	}
	room := maxBannerKept - len(a.banner)
	a.banner = append(a.banner, text[:min(room, len(text))]...)
	return nil
}

// nextMethod is the ssh.ClientAuthCallback: the key first, then the password,
// which is put to the server once. A server that has refused it as "password"
// is not asked again by keyboard-interactive: both count as failures, and
// accounts lock.
func (a *attempt) nextMethod(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	a.allowed = c.AllowedMethods
	a.partial = len(c.PartialSuccessMethods) > 0
	if a.fail != nil || a.wire.err() != nil || a.expired || a.unknown != "" {
		return nil, nil
	}
	can := func(method string) bool {
		return slices.Contains(c.AllowedMethods, method) && !slices.Contains(a.tried, method)
	}
	switch {
	case a.signer != nil && can(methodPublicKey):
		a.tried = append(a.tried, methodPublicKey)
		return ssh.PublicKeys(a.signer), nil
	case a.login.Password.IsZero():
	case !a.answered && can(methodPassword):
		a.tried = append(a.tried, methodPassword)
		a.answered = true
		return ssh.Password(a.login.Password.Reveal()), nil
	case can(methodInteractive) && (!a.answered || slices.Contains(c.PartialSuccessMethods, methodPassword)):
		a.tried = append(a.tried, methodInteractive)
		return ssh.KeyboardInteractive(a.answer), nil
	}
	return nil, nil
}

// classifyAuth says why a login failed.
func (a *attempt) classifyAuth(err error) *installer.Failure {
	who := a.user + "@" + a.address
	below := a.wire.err()
	expired := a.expired || passwordExpired(string(a.banner)) ||
		strings.Contains(err.Error(), "unexpected message type 60") // SSH_MSG_USERAUTH_PASSWD_CHANGEREQ
	switch {
	case expired:
		return failf(installer.KindPasswordExpired, err, "%s: the server wants a new password before anything else", who)
	case errors.Is(below, os.ErrDeadlineExceeded):
		return failf(installer.KindAuthTimeout, err, "%s: the login was not answered within %s", who, a.d.limits.Auth)
	case closedByPeer(below) && len(a.tried) == 0:
		return failf(installer.KindThrottled, err, "%s closed the connection before the login", a.address)
	case !closedByPeer(below) && len(a.tried) == 0 && a.allowed == nil:
		return failf(installer.KindHandshakeFailed, err, "%s: the login could not begin: %s", a.address, a.quote(trimSSH(err)))
	}
	return failf(installer.KindAuthRejected, err, "%s: %s", who, a.rejection(err, below))
}

// rejection is the useful part of "wrong password": what was tried, what the
// server allows, and what else speaks against it.
func (a *attempt) rejection(err, below error) string {
	var b strings.Builder
	switch {
	case len(a.tried) == 0:
		fmt.Fprintf(&b, "the server allows only %s", list(a.allowed))
		if a.signer == nil && !a.login.Password.IsZero() {
			b.WriteString(", and only a password was given")
		} else {
			b.WriteString(", and only a private key was given")
		}
	case a.partial:
		fmt.Fprintf(&b, "%s was tried, and the server wants more than that; it allows %s", list(a.tried), list(a.allowed))
	default:
		fmt.Fprintf(&b, "%s was refused; the server allows %s", list(a.tried), list(a.allowed))
	}
	if a.unknown != "" {
		fmt.Fprintf(&b, "; it asks %s", a.quote(a.unknown))
	}
	if closedByPeer(below) || disconnected(err, 2) {
		b.WriteString("; it closed the connection during the login")
	}
	if strings.Contains(err.Error(), "no common public key signature algorithm") {
		b.WriteString("; it takes RSA keys only with outdated SHA-1 signatures, so another type of key is needed")
	}
	if a.user == "root" {
		b.WriteString("; it may not let root log in (PermitRootLogin): use another user, with sudo")
	}
	if said := telling(string(a.banner)); said != "" {
		fmt.Fprintf(&b, "; it says %s", a.quote(said))
	}
	return b.String()
}

func (a *attempt) quote(text string) string {
	return quote(text, a.login.Password, a.login.Passphrase, a.login.PrivateKey)
}

func list(methods []string) string {
	if len(methods) == 0 {
		return "nothing"
	}
	return quote(strings.Join(methods, ","))
}

// telling returns the line of a banner that speaks of a refusal. Most banners
// are legal notices.
func telling(banner string) string {
	for line := range strings.Lines(banner) {
		low := strings.ToLower(line)
		for _, word := range []string{"expired", "locked", "disabled", "denied", "not allowed"} {
			if strings.Contains(low, word) {
				return line
			}
		}
	}
	return ""
}

func trimSSH(err error) string {
	return strings.TrimPrefix(err.Error(), "ssh: handshake failed: ")
}

// disconnected tells whether the server took its leave with this reason code
// (RFC 4253, 11.1); x/crypto has no type for it.
func disconnected(err error, reason int) bool {
	return err != nil && strings.Contains(err.Error(), fmt.Sprintf("ssh: disconnect, reason %d:", reason))
}
