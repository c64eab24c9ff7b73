package container_test

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer/sshtest"
	"tripod/installer/sshtest/container"
	"tripod/installer/sshtest/internal/plainssh"
)

// patience is for what must happen; a run that needs it is a failure.
const patience = time.Minute

// kind is a running container with what the checks need.
type kind struct {
	*testing.T
	*container.Host
}

func (k kind) try(user string, auth ...ssh.AuthMethod) (*ssh.Client, error) {
	cfg := &ssh.ClientConfig{User: user, Auth: auth, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: patience}
	if k.Kind == container.LegacyKind {
		cfg.KeyExchanges, cfg.Ciphers, cfg.MACs = []string{"diffie-hellman-group14-sha1"}, []string{"aes128-ctr"}, []string{"hmac-sha1"}
		cfg.HostKeyAlgorithms = []string{"ssh-rsa"}
	}
	return ssh.Dial("tcp", k.Endpoint().HostPort(), cfg)
}

func (k kind) login(auth ...ssh.AuthMethod) *ssh.Client {
	k.Helper()
	if len(auth) == 0 {
		auth = []ssh.AuthMethod{ssh.Password(k.Password)}
	}
	c, err := k.try(k.Kind.User(), auth...)
	require.NoError(k, err)
	k.Cleanup(func() { _ = c.Close() })
	return c
}

func (k kind) key() ssh.AuthMethod {
	k.Helper()
	signer, err := ssh.ParsePrivateKey([]byte(k.PrivateKey))
	require.NoError(k, err)
	return ssh.PublicKeys(signer)
}

// works: a command runs and SFTP starts.
func (k kind) works(c *ssh.Client) {
	k.Helper()
	out, code := plainssh.Run(k.T, c, "id -un; exit 7", "")
	assert.Equal(k, 7, code)
	assert.Equal(k, k.Kind.User()+"\n", out)
	s, err := sftp.NewClient(c)
	require.NoError(k, err)
	require.NoError(k, s.Close())
}

// withTerminal runs a command on a terminal without echo.
func (k kind) withTerminal(c *ssh.Client, line, stdin string) (string, error) {
	k.Helper()
	ss, err := c.NewSession()
	require.NoError(k, err)
	defer ss.Close()
	require.NoError(k, ss.RequestPty("dumb", 24, 80, ssh.TerminalModes{ssh.ECHO: 0, ssh.OPOST: 0}))
	var out strings.Builder
	ss.Stdin, ss.Stdout = strings.NewReader(stdin), &out
	err = ss.Run(line)
	return out.String(), err
}

func (k kind) refuses(user string, auth ssh.AuthMethod) {
	k.Helper()
	_, err := k.try(user, auth)
	require.ErrorContains(k, err, "unable to authenticate")
}

// inTheFleet are the kinds that cmd/tripod's TestWaysIn and TestInitSystems work on.
var inTheFleet = []container.Kind{
	container.PasswordKind, container.KeyKind, container.KeyboardInteractiveKind, container.SFTPOffKind, container.SudoNoPasswordKind,
	container.SudoPasswordKind, container.SudoRequireTTYKind, container.SudoDeniedKind, container.SudoSuKind, container.DoasKind, container.SuKind,
	container.NoexecKind, container.ChattyKind,
	container.ExpiredKind, container.ExpiredPromptKind, container.DropbearKind, container.CshKind, container.FishKind,
	container.NologinKind, container.MaxSessionsKind, container.LegacyKind,
	container.SystemdKind, container.SysvinitKind, container.OpenRCKind,
}

// TestEachKindIsWhatItSays runs every kind, several at a time; but for the long run,
// those only that nobody else runs.
func TestEachKindIsWhatItSays(t *testing.T) {
	container.NeedDocker(t)
	t.Parallel()
	checks := map[container.Kind]func(kind){
		container.PasswordKind: func(k kind) {
			k.works(k.login())
			k.refuses("root", ssh.Password("wrong"))
			k.refuses("root", k.key())
		},
		container.KeyKind: func(k kind) {
			k.works(k.login(k.key()))
			k.refuses("root", ssh.Password(k.Password))
		},
		container.KeyboardInteractiveKind: func(k kind) {
			k.refuses("root", ssh.Password(k.Password))
			var asked []string
			k.works(k.login(plainssh.Answers(&asked, k.Password)))
			assert.Equal(k, []string{"Password: "}, asked)
		},
		container.SFTPOffKind: func(k kind) {
			c := k.login()
			plainssh.Run(k.T, c, "true", "")
			_, err := sftp.NewClient(c)
			require.Error(k, err)
		},
		container.NoForwardingKind: func(k kind) {
			_, err := k.login().Dial("tcp", "127.0.0.1:22")
			require.ErrorContains(k, err, "prohibited")
		},
		container.JumpKind: func(k kind) {
			conn, err := k.login().Dial("tcp", "127.0.0.1:22")
			require.NoError(k, err)
			require.NoError(k, conn.Close())
		},
		container.RootRefusedKind: func(k kind) {
			k.refuses("root", ssh.Password(k.Password))
			k.refuses("root", k.key())
			k.works(k.login())
			k.works(k.login(k.key()))
		},
		container.SudoNoPasswordKind: func(k kind) {
			out, code := plainssh.Run(k.T, k.login(), "sudo -n id -u", "")
			assert.Equal(k, "0\n", out)
			assert.Zero(k, code)
		},
		container.SudoPasswordKind: func(k kind) {
			c := k.login()
			out, code := plainssh.Run(k.T, c, "sudo -n id -u", "")
			assert.Equal(k, 1, code)
			assert.Contains(k, out, "a password is required")
			out, code = plainssh.Run(k.T, c, "sudo -S -p '' id -u", k.Password+"\n")
			assert.Zero(k, code)
			assert.Contains(k, out, "0\n")
			assert.Contains(k, out, "usual lecture")
		},
		container.SudoRequireTTYKind: func(k kind) {
			c := k.login()
			out, code := plainssh.Run(k.T, c, "sudo -S -p '' id -u", k.Password+"\n")
			assert.Equal(k, 1, code)
			assert.Contains(k, out, "you must have a tty")
			out, err := k.withTerminal(c, "sudo -S -p '' id -u", k.Password+"\n")
			require.NoError(k, err)
			assert.Equal(k, "0", strings.TrimSpace(out))
		},
		container.SudoDeniedKind: func(k kind) {
			out, code := plainssh.Run(k.T, k.login(), "sudo -S -p '' id -u", k.Password+"\n")
			assert.Equal(k, 1, code)
			assert.Contains(k, out, "not in the sudoers file")
		},
		container.SudoSuKind: func(k kind) {
			c := k.login()
			out, code := plainssh.Run(k.T, c, "sudo -n sh -c 'id -u'", "")
			assert.Equal(k, 1, code, out)
			out, code = plainssh.Run(k.T, c, "sudo -n /bin/su - 2>/dev/null", "id -u\n")
			assert.Zero(k, code)
			assert.Equal(k, "0\n", out)
		},
		container.DoasKind: func(k kind) {
			c := k.login()
			_, code := plainssh.Run(k.T, c, "command -v sudo", "")
			assert.NotZero(k, code)
			out, code := plainssh.Run(k.T, c, "doas -n id -u", "")
			assert.Equal(k, 1, code)
			assert.Equal(k, "doas: Authentication required\n", out)
		},
		container.SuKind: func(k kind) {
			c := k.login()
			_, code := plainssh.Run(k.T, c, "command -v sudo || command -v doas", "")
			assert.NotZero(k, code)
			out, code := plainssh.Run(k.T, c, "LC_ALL=C su root -c 'id -u'", "wrong\n")
			assert.Equal(k, 1, code)
			assert.Contains(k, out, "su: Authentication failure")
		},
		container.NoexecKind: func(k kind) {
			c := k.login()
			out, code := plainssh.Run(k.T, c, "cp /bin/true /tmp/t && /tmp/t", "")
			assert.Equal(k, 126, code)
			assert.Contains(k, out, "Permission denied")
			_, code = plainssh.Run(k.T, c, "head -c 1000000 /dev/zero >/var/tmp/big", "")
			assert.NotZero(k, code)
		},
		container.ChattyKind: func(k kind) {
			c := k.login()
			out, _ := plainssh.Run(k.T, c, "echo mine", "")
			assert.Contains(k, out, "Welcome to this host")
			assert.Contains(k, out, "mine\n")
			_, err := sftp.NewClient(c)
			require.Error(k, err, "SFTP must be broken by the shell's output")
		},
		container.ExpiredKind: func(k kind) {
			out, code := plainssh.Run(k.T, k.login(), "id -u", "")
			assert.Equal(k, 1, code)
			assert.Contains(k, out, "Password change required but no TTY available")
		},
		container.ExpiredPromptKind: func(k kind) {
			var asked []string
			_, _ = k.try("root", plainssh.Answers(&asked, k.Password, k.Password, ""))
			assert.Contains(k, strings.Join(asked, "|"), "New password:")
		},
		container.DropbearKind: func(k kind) {
			c := k.login()
			assert.Contains(k, string(c.ServerVersion()), "dropbear")
			out, code := plainssh.Run(k.T, c, "id -u; exit 7", "")
			assert.Equal(k, "0\n", out)
			assert.Equal(k, 7, code)
		},
		container.CshKind: func(k kind) {
			out, code := plainssh.Run(k.T, k.login(), "set a = b; echo $shell $a", "")
			assert.Zero(k, code)
			assert.Equal(k, "/bin/tcsh b\n", out)
		},
		container.FishKind: func(k kind) {
			out, code := plainssh.Run(k.T, k.login(), "set a b; echo (echo $a) $FISH_VERSION", "")
			assert.Zero(k, code)
			assert.Regexp(k, `b 3\.`, out)
		},
		container.NologinKind: func(k kind) {
			out, code := plainssh.Run(k.T, k.login(), "id -u", "")
			assert.Equal(k, 1, code)
			assert.Contains(k, out, "not available")
		},
		container.MaxStartupsKind: func(k kind) {
			// Ten that do not log in fill it up; a further one is closed.
			for range 10 {
				c, err := net.Dial("tcp", k.Endpoint().HostPort())
				require.NoError(k, err)
				defer c.Close()
			}
			require.EventuallyWithT(k, func(c *assert.CollectT) {
				_, err := k.try("root", ssh.Password(k.Password))
				assert.Error(c, err)
			}, patience, 50*time.Millisecond)
		},
		container.MaxSessionsKind: func(k kind) {
			c := k.login()
			first, err := c.NewSession()
			require.NoError(k, err)
			defer first.Close()
			_, err = c.NewSession()
			require.ErrorContains(k, err, "open failed")
		},
		container.LegacyKind: func(k kind) {
			k.works(k.login())
			_, err := ssh.Dial("tcp", k.Endpoint().HostPort(), &ssh.ClientConfig{
				User: "root", HostKeyCallback: ssh.InsecureIgnoreHostKey(), Config: ssh.Config{KeyExchanges: []string{"curve25519-sha256"}},
			})
			require.ErrorContains(k, err, "no common algorithm")
		},
	}
	// The init system is up, and has started sshd.
	for name, up := range map[container.Kind]string{
		container.SystemdKind:  "systemctl is-system-running --wait && systemctl is-active ssh",
		container.SysvinitKind: "until runlevel | grep 'N 2'; do sleep 0.1; done; [ ! -e /run/systemd/system ] && [ ! -e /run/openrc ]",
		container.OpenRCKind:   "until rc-status default | grep 'ssh .*started'; do sleep 0.1; done",
	} {
		checks[name] = func(k kind) {
			c := k.login()
			k.works(c)
			out, code := plainssh.Run(k.T, c, up, "")
			assert.Zero(k, code, out)
		}
	}
	turns := make(chan struct{}, 4)
	for _, name := range container.Kinds {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			require.Contains(t, checks, name, "a kind without a check")
			if slices.Contains(inTheFleet, name) && !sshtest.Long() {
				t.Skip("TRIPOD_TEST_LONG is not set")
			}
			turns <- struct{}{}
			defer func() { <-turns }()
			checks[name](kind{t, container.Start(t, name)})
		})
	}
}

func TestContainerComesBackUnderTheSamePort(t *testing.T) {
	container.NeedDocker(t)
	t.Parallel()
	k := kind{t, container.Start(t, container.PasswordKind, container.WithPassword("it's \"me\" $HOME"))}
	key, err := k.HostKey(t.Context())
	require.NoError(t, err)
	at := k.Endpoint()
	c := k.login()
	plainssh.Run(t, c, "echo kept >/root/file", "")

	require.NoError(t, k.Kill(t.Context()))
	require.Error(t, c.Wait())
	_, err = k.try("root", ssh.Password(k.Password))
	require.Error(t, err)
	require.NoError(t, k.Restart(t.Context()))

	assert.Equal(t, at, k.Endpoint())
	again, err := k.HostKey(t.Context())
	require.NoError(t, err)
	assert.Equal(t, key, again)
	out, _ := plainssh.Run(t, k.login(), "cat /root/file", "")
	assert.Equal(t, "kept\n", out)
}

func TestTargetsOfAClosedNetworkAcceptOnlyTheJumpHost(t *testing.T) {
	container.NeedDocker(t)
	t.Parallel()
	n := container.StartNetwork(t, []container.Kind{container.PasswordKind, container.KeyKind})
	require.Len(t, n.Targets, 2)
	jump := kind{t, n.Jump}.login()
	var refused sync.WaitGroup // at once: a refusal takes libwrap five seconds
	defer refused.Wait()
	for i, target := range n.Targets {
		at := target.Endpoint()
		require.NotEmpty(t, at.Address)
		conn, err := jump.Dial("tcp", at.HostPort())
		require.NoError(t, err)
		auth := ssh.Password(target.Password)
		if target.Kind == container.KeyKind {
			auth = kind{t, target}.key()
		}
		sc, chans, reqs, err := ssh.NewClientConn(conn, at.HostPort(),
			&ssh.ClientConfig{User: "root", Auth: []ssh.AuthMethod{auth}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
		require.NoError(t, err)
		c := ssh.NewClient(sc, chans, reqs)
		out, _ := plainssh.Run(t, c, "hostname", "")
		assert.Equal(t, string(target.Kind)+"\n", out)
		require.NoError(t, c.Close())

		// From another target nothing is answered.
		other := n.Targets[1-i]
		refused.Go(func() {
			out, _ := other.Exec(t.Context(), "bash", "-c", "exec 3<>/dev/tcp/"+at.Address+"/"+strconv.Itoa(int(at.Port))+"; head -c 4 <&3")
			assert.Empty(t, out)
		})
	}
}

func TestDockerIsNeededLoudlyInCI(t *testing.T) {
	if os.Getenv("CI") != "true" {
		t.Skip("only where CI=true")
	}
	require.NoError(t, container.DockerAvailable(t.Context()))
}
