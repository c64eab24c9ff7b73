package sshtest_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer/sshtest"
	"tripod/installer/sshtest/internal/plainssh"
	"tripod/installer/sshtest/netsim"
)

func newSigner(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	return signer, string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
}

func TestWaysIn(t *testing.T) {
	t.Parallel()
	mine, line := newSigner(t)
	other, _ := newSigner(t)
	var asked []string
	for _, c := range []struct {
		name  string
		user  sshtest.User
		with  ssh.AuthMethod
		fails bool
	}{
		{"password", sshtest.User{Password: "pa ß\"'$"}, ssh.Password("pa ß\"'$"), false},
		{"wrong password", sshtest.User{Password: "a"}, ssh.Password("b"), true},
		{"key", sshtest.User{AuthorizedKeys: []string{line}}, ssh.PublicKeys(mine), false},
		{"other key", sshtest.User{AuthorizedKeys: []string{line}}, ssh.PublicKeys(other), true},
		{"keyboard-interactive", sshtest.User{KeyboardInteractive: "k"}, plainssh.Answers(&asked, "k"), false},
		{"wrong answer", sshtest.User{KeyboardInteractive: "k"}, plainssh.Answers(&asked, "x"), true},
		{"password where only questions are answered", sshtest.User{KeyboardInteractive: "k"}, ssh.Password("k"), true},
		{"refused", sshtest.User{Password: "a", Refused: true}, ssh.Password("a"), true},
		{"expired, by password", sshtest.User{Password: "a", Expired: sshtest.ExpiredPrompt}, ssh.Password("a"), true},
		{"expired, answered", sshtest.User{Password: "a", Expired: sshtest.ExpiredPrompt}, plainssh.Answers(&asked, "a", "a", "new"), false},
		{"expired, not answered", sshtest.User{Password: "a", Expired: sshtest.ExpiredPrompt}, plainssh.Answers(&asked, "a"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.user.Name = "op"
			s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{c.user}})
			client, err := ssh.Dial("tcp", s.Addr(), config(s, "op", c.with))
			if c.fails {
				require.ErrorContains(t, err, "unable to authenticate")
				assert.Zero(t, s.Counts().Handshakes)
				return
			}
			require.NoError(t, err)
			out, _ := plainssh.Run(t, client, "id -un; id -u", "")
			assert.Equal(t, "op\n1000\n", out)
			require.NoError(t, client.Close())
			accepted := s.Counts().Accepted
			assert.Len(t, accepted, 1)
		})
	}
	assert.Contains(t, asked, "New password: ")
}

func TestOnlyConfiguredMethodsAreOffered(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "root", KeyboardInteractive: "k"}}})
	_, err := ssh.Dial("tcp", s.Addr(), config(s, "root", ssh.Password("k")))
	require.ErrorContains(t, err, "attempted methods [none]")
	k := s.Counts()
	assert.Empty(t, k.Passwords, "a password was sent though the method is off")
	assert.Equal(t, map[string]int{"none": 1}, k.Attempts)
}

func TestExpiredWithoutTerminal(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "root", Password: "a", Expired: sshtest.ExpiredNoTTY}}})
	out, code := plainssh.Run(t, dial(t, s, "root"), "touch $HOME/ran", "")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "Password change required but no TTY available.")
	assert.NoFileExists(t, s.Path("root", "ran"))
}

func TestHostKeys(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{HostKeyTypes: []string{"ecdsa", "ed25519"}, Banner: "hello\n", PreVersion: "tcpd was here\r\n"})
	var banner, seen string
	cfg := config(s, "root")
	cfg.BannerCallback = func(m string) error { banner = m; return nil }
	cfg.HostKeyCallback = func(_ string, _ net.Addr, key ssh.PublicKey) error {
		seen = string(ssh.MarshalAuthorizedKey(key))
		return nil
	}
	cfg.HostKeyAlgorithms = []string{ssh.KeyAlgoED25519}
	connect := func() {
		c, err := ssh.Dial("tcp", s.Addr(), cfg)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	connect()
	assert.Equal(t, s.HostKeys()[1]+"\n", seen)
	assert.Equal(t, "hello\n", banner)
	before := s.HostKey()
	require.NoError(t, s.ReplaceHostKeys("ed25519"))
	connect()
	assert.Equal(t, s.HostKey()+"\n", seen)
	assert.NotEqual(t, before, s.HostKey())
}

func TestMaxStartupsAndMaxSessions(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{MaxSessions: 1, MaxStartups: sshtest.MaxStartups{Start: 1, Rate: 100, Full: 2}})
	c := dial(t, s, "root") // logged in: no longer counted
	remove := s.Inject(sshtest.Fault{Stage: sshtest.Version, Action: sshtest.Stall})
	silent := connect(t, s)
	require.NoError(t, s.Wait(t.Context(), func(k sshtest.Counts) bool { return k.Connections == 2 }))
	assert.Equal(t, "Exceeded MaxStartups\r\n", readAll(t, connect(t, s)))
	assert.Equal(t, 1, s.Counts().Dropped)
	remove()
	require.NoError(t, silent.Close())

	first, err := c.NewSession()
	require.NoError(t, err)
	_, err = c.NewSession()
	require.ErrorContains(t, err, "open failed")
	require.NoError(t, first.Close())
}

// slowReturn is a connection whose writes arrive long before they return.
type slowReturn struct{ net.Conn }

func (c slowReturn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	time.Sleep(20 * time.Millisecond)
	return n, err
}

// Who has logged in has been counted.
func TestLoginIsCountedBeforeTheClientHearsOfIt(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	near, far := netsim.Pipe()
	s.ServeConn(slowReturn{far})
	sc, chans, reqs, err := ssh.NewClientConn(near, "pipe", config(s, "root"))
	require.NoError(t, err)
	assert.Equal(t, 1, s.Counts().Handshakes)
	require.NoError(t, ssh.NewClient(sc, chans, reqs).Close())
}
