package sshdial

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshtest"
	"tripod/installer/sshtest/testkeys"
)

// newPEM is a private key in OpenSSH form and its authorized_keys line.
func newPEM(tb testing.TB, typ string) (text, authorized string) {
	tb.Helper()
	var key any
	var err error
	switch typ {
	case "rsa":
		key = testkeys.RSA()
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	require.NoError(tb, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(tb, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(tb, err)
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

func TestWaysIn(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"rsa", "ecdsa", "ed25519", "encrypted"} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			var text, line, pass string
			if typ == "encrypted" { // the other forms are privkey's business
				text, line = testkeys.Encrypted()
				pass = testkeys.Passphrase
			} else {
				text, line = newPEM(t, typ)
			}
			s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "root", AuthorizedKeys: []string{line}}}})
			login := installer.Login{PrivateKey: installer.NewSecret(text), Passphrase: installer.NewSecret(pass)}
			c, err := newDialer(t, Config{}).Dial(t.Context(), "p", installer.Host{Endpoint: s.Endpoint("root")}, installer.Credentials{Login: login}, installer.AcceptNew, nil)
			require.NoError(t, err)
			defer c.Close()
			assert.Equal(t, 1, s.Counts().Accepted["publickey"])
		})
	}
	t.Run("keyboard-interactive only", func(t *testing.T) {
		s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "root", KeyboardInteractive: "s3cret"}}})
		c, err := dialWith(t, s, "s3cret")
		require.NoError(t, err)
		defer c.Close()
		assert.Equal(t, 1, s.Counts().Accepted["keyboard-interactive"])
	})
	t.Run("password of odd bytes", func(t *testing.T) {
		odd := " pässwörd'\"\\$`!\t "
		s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "root", Password: odd}}})
		c, err := dialWith(t, s, odd)
		require.NoError(t, err)
		defer c.Close()
		assert.Equal(t, []string{odd}, s.Counts().Passwords)
	})
	t.Run("wrong key, right password", func(t *testing.T) {
		text, _ := newPEM(t, "ed25519")
		_, other := newPEM(t, "ed25519")
		s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "root", Password: "right", AuthorizedKeys: []string{other}}}})
		login := installer.Login{PrivateKey: installer.NewSecret(text), Password: installer.NewSecret("right")}
		c, err := newDialer(t, Config{}).Dial(t.Context(), "p", installer.Host{Endpoint: s.Endpoint("root")}, installer.Credentials{Login: login}, installer.AcceptNew, nil)
		require.NoError(t, err)
		defer c.Close()
	})
}

func dialWith(t *testing.T, s *sshtest.Server, password string) (*Conn, error) {
	return newDialer(t, Config{}).Dial(t.Context(), "p", installer.Host{Endpoint: s.Endpoint("root")},
		installer.Credentials{Login: installer.Login{Password: installer.NewSecret(password)}}, installer.AcceptNew, nil)
}

// TestRejectedPasswordIsSentOnce: accounts lock.
func TestRejectedPasswordIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, u := range map[string]sshtest.User{
		"both ways":                 {Name: "root", Password: "right", KeyboardInteractive: "right"},
		"password only":             {Name: "root", Password: "right"},
		"keyboard-interactive only": {Name: "root", KeyboardInteractive: "right"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{u}})
			_, err := dialWith(t, s, "wrong-horse")
			f := kind(t, installer.KindAuthRejected, err)
			assert.Equal(t, []string{"wrong-horse"}, s.Counts().Passwords)
			assert.Contains(t, f.Detail, "root@")
			assert.Contains(t, f.Detail, "PermitRootLogin")
			assert.NotContains(t, f.Detail, "wrong-horse")
			assert.False(t, f.JumpHost)
			t.Log(f.Detail)
		})
	}
}

func TestRejectionSaysWhatIsAllowed(t *testing.T) {
	t.Parallel()
	_, line := newPEM(t, "ed25519")
	s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "alice", AuthorizedKeys: []string{line}}}})
	_, err := newDialer(t, Config{}).Dial(t.Context(), "p", installer.Host{Endpoint: s.Endpoint("alice")},
		installer.Credentials{Login: installer.Login{Password: installer.NewSecret("x")}}, installer.AcceptNew, nil)
	f := kind(t, installer.KindAuthRejected, err)
	assert.Contains(t, f.Detail, `allows only "publickey", and only a password was given`)
	assert.NotContains(t, f.Detail, "PermitRootLogin")
}

// TestWhatTheServerSaysIsQuoted: its last line, in whichever language.
func TestWhatTheServerSaysIsQuoted(t *testing.T) {
	t.Parallel()
	banner := "*****\nUnbefugter Zugriff wird verfolgt.\nDas Konto ist gesperrt.\n*****\n"
	s := sshtest.Start(t, sshtest.Config{Banner: banner, Users: []sshtest.User{{Name: "root", Password: "right"}}})
	_, err := dialWith(t, s, "wrong-horse")
	f := kind(t, installer.KindAuthRejected, err)
	assert.Equal(t, "root@"+s.Addr()+`: "password" was refused; the server allows "password"; perhaps it does not allow root to log in (PermitRootLogin): `+
		`then use another user, with sudo; it says "Das Konto ist gesperrt."`, f.Detail)

	h := &handshake{login: installer.Login{Password: installer.NewSecret("pw")}}
	assert.Empty(t, h.said())
	require.NoError(t, h.takeBanner(strings.Repeat("x", 3*maxBannerKept)+"\nthe last\n"))
	assert.Equal(t, `; it says "the last"`, h.said())
	_, err = h.answer(t.Context(), "Account locked, says PAM to pw.", nil, nil)
	require.NoError(t, err)
	assert.NotContains(t, h.said(), " pw.")
	assert.Contains(t, h.said(), "Account locked")
	assert.LessOrEqual(t, len(h.banner), maxBannerKept)
}

// TestRootIsNotRefusedEverywhere: a guess that another host of the batch disproves is not made.
func TestRootIsNotRefusedEverywhere(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "root", Password: "right"}}})
	d := newDialer(t, Config{})
	for _, c := range []struct {
		password string
		guess    bool
	}{{"wrong", true}, {"right", false}, {"wrong", false}} {
		conn, err := d.Dial(t.Context(), "p", installer.Host{Endpoint: s.Endpoint("root")},
			installer.Credentials{Login: installer.Login{Password: installer.NewSecret(c.password)}}, installer.AcceptNew, nil)
		if c.password == "right" {
			require.NoError(t, err)
			conn.Close()
			continue
		}
		assert.Equal(t, c.guess, strings.Contains(kind(t, installer.KindAuthRejected, err).Detail, "perhaps it does not allow root"))
	}
}

func TestExpiredPassword(t *testing.T) {
	t.Parallel()
	t.Run("asks for a new one", func(t *testing.T) {
		s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "root", KeyboardInteractive: "old", Expired: sshtest.ExpiredPrompt}}})
		_, err := dialWith(t, s, "old")
		kind(t, installer.KindPasswordExpired, err)
		assert.Equal(t, []string{"old"}, s.Counts().Passwords)
	})
	t.Run("runs no command", func(t *testing.T) {
		s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "root", Password: "old", Expired: sshtest.ExpiredNoTTY}}})
		c, err := dialWith(t, s, "old")
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Exec(t.Context(), installer.Command{Line: "true"})
		kind(t, installer.KindPasswordExpired, err)
	})
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		instruction, question string
		echo                  bool
		want                  error
	}{
		{"", "Password: ", false, nil},
		{"", "root@10.0.0.5's password: ", false, nil},
		{"", "密码：", false, nil},
		{"Your password will expire in 3 days", "Password: ", false, nil},
		{"", "New password: ", false, errExpired},
		{"", "(current) UNIX password: ", false, errExpired},
		{"", "Current password: ", false, errExpired},
		{"Password expired. Change your password now.", "Password: ", false, errExpired},
		{"You are required to change your password immediately", "", false, errExpired},
		{"", "Verification code: ", false, errQuestion},
		{"", "One-time password (OATH): ", false, errQuestion},
		{"", "Your name: ", true, errQuestion},
	} {
		a := &handshake{login: installer.Login{Password: installer.NewSecret("pw")}}
		answers, err := a.answer(t.Context(), tc.instruction, []string{tc.question}, []bool{tc.echo})
		require.ErrorIs(t, err, tc.want, "%s %s", tc.instruction, tc.question)
		if tc.want == nil {
			assert.Equal(t, []string{"pw"}, answers)
			_, err = a.answer(t.Context(), "", []string{tc.question}, []bool{tc.echo})
			require.ErrorIs(t, err, errQuestion, "the same question again means a wrong answer")
		}
	}
}

func TestUnusableKeyIsToldBeforeDialling(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	text, _ := testkeys.Encrypted()
	_, err := newDialer(t, Config{}).Dial(t.Context(), "p", installer.Host{Endpoint: s.Endpoint("root")},
		installer.Credentials{Login: installer.Login{PrivateKey: installer.NewSecret(text)}}, installer.AcceptNew, nil)
	kind(t, installer.KindCredentialMissing, err)
	assert.Zero(t, s.Counts().Connections)
}

func TestSignersAreParsedOnce(t *testing.T) {
	t.Parallel()
	text, _ := testkeys.Encrypted()
	c := newSignerCache()
	var wg sync.WaitGroup
	got := make([]ssh.Signer, 8)
	for i := range got {
		wg.Go(func() {
			s, err := c.get(installer.NewSecret(text), installer.NewSecret(testkeys.Passphrase))
			assert.NoError(t, err)
			got[i] = s
		})
	}
	wg.Wait()
	for _, s := range got {
		assert.Same(t, got[0], s)
	}
	_, err := c.get(installer.NewSecret(text), installer.NewSecret("other"))
	require.Error(t, err, "another passphrase is another key")
	for i := range 3 * maxSigners {
		_, _ = c.get(installer.NewSecret("junk"+strings.Repeat("x", i)), installer.Secret{})
	}
	assert.LessOrEqual(t, len(c.entries), maxSigners)
}
