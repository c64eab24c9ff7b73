package sshdial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshconn"
)

// maxBanner is how many bytes of banner a server may send while we log in;
// the last maxBannerKept of them are kept.
const (
	maxBanner     = 64 << 10
	maxBannerKept = 2 << 10
)

const (
	methodPublicKey   = "publickey"
	methodPassword    = "password"
	methodInteractive = "keyboard-interactive"
)

type authState struct {
	allowed   []string                       // by the server, as it said last
	tried     []string                       // by us, in order
	partial   bool                           // the server accepted a method and wants another one too
	answered  bool                           // the password has been sent
	right     bool                           // and the server has accepted it
	tell      func(installer.PasswordAnswer) // the guard, once; nil: it has not been asked
	expired   bool                           // the server asked for a new password
	unknown   string                         // a question that has no answer here
	banner    []byte
	bannerLen int
}

var (
	errBanner   = errors.New("the server floods the login with banners")
	errExpired  = errors.New("the server asks for a new password")
	errQuestion = errors.New("the server asks a question that has no answer here")
)

func (h *handshake) takeBanner(text string) error {
	h.bannerLen += len(text)
	if h.bannerLen > maxBanner {
		// No error is returned: x/crypto would stop reading, and its reading
		// goroutine would wait for ever.
		h.fail = sshconn.Failf(installer.KindHandshakeFailed, errBanner, "%s sends more than %d bytes of banner", h.address, maxBanner)
		_ = h.wire.Close()
		return nil
	}
	h.keepBanner(text)
	return nil
}

func (h *handshake) keepBanner(text string) {
	h.banner = append(h.banner, text...)
	h.banner = h.banner[max(0, len(h.banner)-maxBannerKept):]
}

// nextMethod is the ssh.ClientAuthCallback: the key first, then the password,
// which is sent once. A server that rejected it as "password" does not get it
// again by keyboard-interactive: both count as failures, and accounts lock.
func (h *handshake) nextMethod(ctx context.Context, c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	h.allowed = c.AllowedMethods
	h.partial = len(c.PartialSuccessMethods) > 0
	h.right = slices.Contains(c.PartialSuccessMethods, methodPassword) || slices.Contains(c.PartialSuccessMethods, methodInteractive)
	if !h.keyIsPinned() || h.fail != nil || h.wire.Err() != nil || h.expired || h.unknown != "" {
		return nil, nil
	}
	can := func(method string) bool {
		return slices.Contains(c.AllowedMethods, method) && !slices.Contains(h.tried, method)
	}
	switch {
	case h.signer != nil && can(methodPublicKey):
		h.tried = append(h.tried, methodPublicKey)
		return ssh.PublicKeys(h.signer), nil
	case h.login.Password.IsZero():
	case !h.answered && can(methodPassword):
		if !h.passwordMayGo(ctx) {
			return nil, nil
		}
		h.tried = append(h.tried, methodPassword)
		return ssh.Password(h.login.Password.Reveal()), nil
	case can(methodInteractive) && (!h.answered || slices.Contains(c.PartialSuccessMethods, methodPassword)):
		h.tried = append(h.tried, methodInteractive)
		return ssh.KeyboardInteractive(func(_, instruction string, questions []string, echos []bool) ([]string, error) {
			return h.answer(ctx, instruction, questions, echos)
		}), nil
	}
	return nil, nil
}

// passwordMayGo asks the guard. That may take as long as other hosts take to answer, so the limit of the
// login begins again.
func (h *handshake) passwordMayGo(ctx context.Context) bool {
	h.answered = true
	if h.guard == nil {
		return true
	}
	_ = h.wire.SetDeadline(time.Time{})
	tell, err := h.guard(ctx, h.to.User, h.login.Password)
	h.beginAuth()
	if err != nil {
		h.fail = installer.FailureOf(err)
		return false
	}
	h.tell = tell
	return true
}

// tellGuard tells how the login has ended.
func (h *handshake) tellGuard(fail *installer.Failure) {
	if h.tell == nil {
		return
	}
	switch {
	case fail == nil || h.right || fail.Kind == installer.KindPasswordExpired:
		h.tell(installer.PasswordAccepted)
	case fail.Kind == installer.KindAuthRejected:
		h.tell(installer.PasswordRefused)
	default:
		h.tell(installer.PasswordUnanswered)
	}
}

func (h *handshake) classifyAuth(err error) *installer.Failure {
	who := h.to.User + "@" + h.address
	below := h.wire.Err()
	expired := h.expired || passwordExpired(string(h.banner)) ||
		strings.Contains(err.Error(), "unexpected message type 60") // SSH_MSG_USERAUTH_PASSWD_CHANGEREQ
	said := h.said()
	switch {
	case expired:
		return sshconn.Failf(installer.KindPasswordExpired, err, "%s: the password has expired, the server asks for a new one%s", who, said)
	case errors.Is(below, os.ErrDeadlineExceeded):
		return sshconn.Failf(installer.KindAuthTimeout, err, "%s: the login was not answered within %s%s", who, h.d.limits.Auth, said)
	case closedByPeer(below) && len(h.tried) == 0:
		return sshconn.Failf(installer.KindThrottled, err, "%s closed the connection before the login%s", h.address, said)
	case !closedByPeer(below) && len(h.tried) == 0 && h.allowed == nil:
		return sshconn.Failf(installer.KindHandshakeFailed, err, "%s: the login could not begin: %s", h.address, h.quote(trimSSH(err)))
	}
	return sshconn.Failf(installer.KindAuthRejected, err, "%s: %s%s", who, h.rejection(err, below), said)
}

func (h *handshake) rejection(err, below error) string {
	var b strings.Builder
	switch {
	case len(h.tried) == 0:
		fmt.Fprintf(&b, "the server allows only %s", list(h.allowed))
		if h.signer == nil && !h.login.Password.IsZero() {
			b.WriteString(", and only a password was given")
		} else {
			b.WriteString(", and only a private key was given")
		}
	case h.partial:
		fmt.Fprintf(&b, "%s was tried, and the server wants more than that; it allows %s", list(h.tried), list(h.allowed))
	default:
		fmt.Fprintf(&b, "%s was refused; the server allows %s", list(h.tried), list(h.allowed))
		// Some servers offer root what they then refuse. Where it has been let in elsewhere, that is less likely than a wrong password.
		if h.to.User == "root" && h.unknown == "" && !h.d.rootLogins.Load() {
			b.WriteString("; perhaps it does not allow root to log in (PermitRootLogin): then use another user, with sudo")
		}
	}
	if h.unknown != "" {
		fmt.Fprintf(&b, "; it asks %s", h.quote(h.unknown))
	}
	if closedByPeer(below) || disconnected(err, 2) {
		b.WriteString("; it closed the connection during the login")
		if _, why, ok := strings.Cut(err.Error(), "ssh: disconnect, reason 2: "); ok {
			b.WriteString(": " + h.quote(why))
		}
	}
	if strings.Contains(err.Error(), "no common public key signature algorithm") {
		b.WriteString("; it accepts RSA keys only with outdated SHA-1 signatures: use another type of key")
	}
	return b.String()
}

func (h *handshake) quote(text string) string {
	return sshconn.Quote(text, h.login.Password, h.login.Passphrase, h.login.PrivateKey)
}

func list(methods []string) string {
	if len(methods) == 0 {
		return "nothing"
	}
	return sshconn.Quote(strings.Join(methods, ","))
}

// said is what the server said last, before the login or in answer to it: "" or "; it says TEXT".
func (h *handshake) said() string {
	last := ""
	for line := range strings.Lines(string(h.banner)) {
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			last = line
		}
	}
	if last == "" {
		return ""
	}
	return "; it says " + h.quote(last)
}

func trimSSH(err error) string {
	return strings.TrimPrefix(err.Error(), "ssh: handshake failed: ")
}

// disconnected reports whether the server disconnected with this reason code
// (RFC 4253, 11.1); x/crypto has no type for it.
func disconnected(err error, reason int) bool {
	return err != nil && strings.Contains(err.Error(), fmt.Sprintf("ssh: disconnect, reason %d:", reason))
}

// answer is an ssh.KeyboardInteractiveChallenge. It answers one question, the
// one for the password, once: the same question again means that the answer
// was wrong, and answering again would lock accounts.
func (h *handshake) answer(ctx context.Context, instruction string, questions []string, echos []bool) ([]string, error) {
	h.keepBanner(instruction + "\n") // PAM's messages come so
	if asksNewPassword(instruction, questions) {
		h.expired = true
		return nil, errExpired
	}
	answers := make([]string, len(questions))
	for i, q := range questions {
		if echos[i] || h.answered || asksCode(q) {
			h.unknown = q
			return nil, errQuestion
		}
		if !h.passwordMayGo(ctx) {
			return nil, h.fail
		}
		answers[i] = h.login.Password.Reveal()
	}
	return answers, nil
}

func asksNewPassword(instruction string, questions []string) bool {
	return passwordExpired(instruction) || slices.ContainsFunc(questions, func(q string) bool {
		return passwordExpired(q) || sshconn.ContainsAny(q, "new password", "current password", "current) unix", "old password", "retype", "re-enter", "新密码", "当前密码")
	})
}

func asksCode(q string) bool {
	return sshconn.ContainsAny(q, "verification", "code", "otp", "one-time", "token", "duo", "pin:")
}

// passwordExpired recognises what sshd and PAM say when the password must be
// changed, and not their warning that it soon must be.
func passwordExpired(text string) bool {
	return sshconn.ContainsAny(text,
		"password has expired", "password is expired", "password expired", "expired password",
		"password change required", "must change your password", "required to change your password",
		"change your password now", "change your password immediately")
}
