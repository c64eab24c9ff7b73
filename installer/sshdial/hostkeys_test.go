package sshdial

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"tripod/installer"
	"tripod/installer/sshtest"
	"tripod/installer/sshtest/testkeys"
)

func TestAcceptNewPinsBeforeAnyCredential(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	keys := newKeys()
	keys.onPin = func() {
		// The login has begun meanwhile: the disk is not waited for by itself.
		assert.NoError(t, s.Wait(t.Context(), func(c sshtest.Counts) bool { return c.Attempts["none"] > 0 }))
		assert.Empty(t, s.Counts().Passwords, "a password was sent before the pin")
	}
	d := newDialer(t, Config{HostKeys: keys})
	connect(t, d, s)
	host, _ := root(s)
	assert.Equal(t, map[string][]string{"p/" + host.HostPort(): {s.HostKey()}}, keys.all())

	connect(t, d, s) // known now
	assert.Len(t, keys.all()["p/"+host.HostPort()], 1)
}

func TestNoCredentialWhenThePinIsNotStored(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	keys := newKeys()
	keys.fails = errors.Join(installer.ErrStorage, errors.New("disk full"))
	host, creds := root(s)
	_, err := newDialer(t, Config{HostKeys: keys}).Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
	kind(t, installer.KindInternal, err)
	require.ErrorIs(t, err, installer.ErrStorage)
	assert.Empty(t, s.Counts().Passwords)
	assert.Zero(t, s.Counts().Attempts["password"])
}

// TestNoConnectionWhenThePinIsNotStored: with a server that wants no login at all.
func TestNoConnectionWhenThePinIsNotStored(t *testing.T) {
	t.Parallel()
	key, err := testkeys.New("ed25519")
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromSigner(key)
	require.NoError(t, err)
	cfg := &ssh.ServerConfig{NoClientAuth: true}
	cfg.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var served sync.WaitGroup
	served.Go(func() {
		nc, err := l.Accept()
		if !assert.NoError(t, err) {
			return
		}
		sc, chans, reqs, err := ssh.NewServerConn(nc, cfg)
		if !assert.NoError(t, err) {
			return
		}
		go ssh.DiscardRequests(reqs)
		assert.Empty(t, chans, "it asks for nothing")
		_ = sc.Wait()
	})
	keys := newKeys()
	keys.fails = errors.Join(installer.ErrStorage, errors.New("disk full"))
	at := l.Addr().(*net.TCPAddr)
	host := installer.Host{Endpoint: installer.Endpoint{Address: "127.0.0.1", Port: uint16(at.Port), User: "root"}} //nolint:gosec // a port
	_, err = newDialer(t, Config{HostKeys: keys}).Dial(t.Context(), "p", host, installer.Credentials{Login: secret("x")}, installer.AcceptNew, nil)
	kind(t, installer.KindInternal, err)
	require.NoError(t, l.Close())
	served.Wait()
}

// TestC06ChangedKeyGetsNoCredential: the server with the changed key has
// received neither password nor key, whichever way its key was known.
func TestC06ChangedKeyGetsNoCredential(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"ed25519", "ecdsa"} {
		for _, how := range []string{"stored pin", "strict stored pin", "given key", "given fingerprint", "known_hosts", "insecure with a given key"} {
			t.Run(how+" to "+to, func(t *testing.T) {
				t.Parallel()
				s := sshtest.Start(t, sshtest.Config{})
				host, creds := root(s)
				old := s.HostKey()
				pub, _, _, _, err := ssh.ParseAuthorizedKey([]byte(old))
				require.NoError(t, err)
				keys, cfg, policy := newKeys(), Config{}, installer.AcceptNew
				switch how {
				case "stored pin", "strict stored pin":
					require.NoError(t, keys.PinKey(t.Context(), "p", host.HostPort(), old))
					if how != "stored pin" {
						policy = installer.Strict
					}
				case "given key":
					host.HostKey = old
				case "insecure with a given key":
					host.HostKey, policy = old, installer.Insecure
				case "given fingerprint":
					host.HostKey = ssh.FingerprintSHA256(pub)
				case "known_hosts":
					cfg.KnownHosts, policy = []string{writeKnownHosts(t, host.HostPort(), pub)}, installer.Strict
				}
				cfg.HostKeys = keys
				d := newDialer(t, cfg)
				c, err := d.Dial(t.Context(), "p", host, creds, policy, nil)
				require.NoError(t, err, "the right key must be taken")
				_ = c.Close()
				sent := len(s.Counts().Passwords)

				require.NoError(t, s.ReplaceHostKeys(to))
				_, err = d.Dial(t.Context(), "p", host, creds, policy, nil)
				f := kind(t, installer.KindHostKeyChanged, err)
				assert.Contains(t, f.Detail, ssh.FingerprintSHA256(pub), "the expected key is named")
				now, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKey()))
				require.NoError(t, err)
				assert.Contains(t, f.Detail, now.Type()+" "+ssh.FingerprintSHA256(now), "the key seen is named")
				assert.Len(t, s.Counts().Passwords, sent, "a password was sent to a server with a changed key")
				assert.Zero(t, s.Counts().Attempts["publickey"])
			})
		}
	}
}

// TestPinnedTypeIsAskedFor: a server that got further keys still proves the
// pinned one.
func TestPinnedTypeIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, pinned := range []int{0, 1, 2} {
		s := sshtest.Start(t, sshtest.Config{HostKeyTypes: []string{"ed25519", "ecdsa", "rsa"}})
		host, creds := root(s)
		pub, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKeys()[pinned]))
		require.NoError(t, err)
		for _, pin := range []string{s.HostKeys()[pinned], ssh.FingerprintSHA256(pub)} {
			host.HostKey = pin
			c, err := newDialer(t, Config{}).Dial(t.Context(), "p", host, creds, installer.Strict, nil)
			require.NoError(t, err, pin)
			require.NoError(t, c.Close())
		}
	}
}

func TestStrictWantsToKnow(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	host, creds := root(s)
	other, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKey()))
	require.NoError(t, err)
	for name, cfg := range map[string]Config{
		"nothing":        {},
		"no such file":   {KnownHosts: []string{filepath.Join(t.TempDir(), "none")}},
		"other hosts":    {KnownHosts: []string{writeKnownHosts(t, "other:22", other)}},
		"not readable":   {KnownHosts: []string{t.TempDir()}},
		"nothing parsed": {KnownHosts: []string{writeFile(t, "what is this\n")}},
	} {
		_, err := newDialer(t, cfg).Dial(t.Context(), "p", host, creds, installer.Strict, nil)
		kind(t, installer.KindHostKeyUnknown, err)
		assert.Empty(t, s.Counts().Passwords, name)
	}
	host.HostKey = "ssh-ed25519 nonsense"
	_, err = newDialer(t, Config{}).Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
	kind(t, installer.KindHostKeyUnknown, err)
}

func TestInsecureTakesAnyKeyAndPinsNothing(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	host, creds := root(s)
	d := New(Config{}) // with no place to pin anything
	defer d.Close()
	for range 2 {
		c, err := d.Dial(t.Context(), "p", host, creds, installer.Insecure, nil)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.NoError(t, s.ReplaceHostKeys("ecdsa"))
	}
}

func FuzzParsePin(f *testing.F) {
	f.Add("SHA256:uJ1dDmrVzyMcP7uKhFIbnRHnhSCsWfJJjM8vBDwHQ9c")
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHo1h2c0a3tUj2pvn5v3m6u1gFfQJ3v0zqV3V8lJ7mB0 comment")
	f.Add("")
	f.Fuzz(func(t *testing.T, pin string) {
		p, err := parsePin(pin)
		if err == nil && p.fingerprint == "" && len(p.keys) == 0 {
			t.Fatal("a pin that holds nothing would accept any key")
		}
	})
}

func writeKnownHosts(t *testing.T, address string, key ssh.PublicKey) string {
	return writeFile(t, knownhosts.Line([]string{knownhosts.Normalize(address)}, key)+"\n")
}

func writeFile(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), strings.ReplaceAll(t.Name(), "/", "_"))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
