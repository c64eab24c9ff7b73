// Package container has test hosts with a real sshd, in Docker.
package container

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer/sshtest/testkeys"
)

// Host is a host with a real SSH server and, by its kind, a real init system.
type Host struct {
	Kind     Kind
	ID       string
	Password string // of root and op
	// PrivateKey in OpenSSH form lets root and op in, where the kind takes keys.
	PrivateKey string

	port uint16 // on 127.0.0.1; 0: not published
	net  *Network
}

// Option changes how a container is run.
type Option func(*setup)

type setup struct {
	args, config []string
	password     string
	net          *Network
	allowFrom    string
	publish      bool
}

// WithPassword sets root's and op's; default: a random one.
func WithPassword(p string) Option { return func(s *setup) { s.password = p } }

// WithConfig adds lines to sshd_config.
func WithConfig(lines ...string) Option {
	return func(s *setup) { s.config = append(s.config, lines...) }
}

// WithRunArgs adds arguments to docker run ("--tmpfs", "/opt:noexec").
func WithRunArgs(args ...string) Option {
	return func(s *setup) { s.args = append(s.args, args...) }
}

// Start runs a host for the length of a test, once its SSH server
// greets. Without a Docker engine it skips the test, see NeedDocker.
func Start(tb testing.TB, kind Kind, opts ...Option) *Host {
	tb.Helper()
	NeedDocker(tb)
	c, err := New(context.Background(), kind, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of the %s container:\n%s", kind, c.Logs(context.Background()))
		}
		if err := c.Remove(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// StartAll runs several hosts at once.
func StartAll(tb testing.TB, kinds []Kind, opts ...Option) []*Host {
	tb.Helper()
	NeedDocker(tb)
	all, err := parallel(kinds, func(k Kind) (*Host, error) {
		return New(context.Background(), k, opts...)
	})
	tb.Cleanup(func() {
		if err := removeAll(all); err != nil {
			tb.Error(err)
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// New runs a host, once its SSH server greets; Remove it.
func New(ctx context.Context, kind Kind, opts ...Option) (*Host, error) {
	setup := setup{publish: true, password: rand.Text()}
	for _, o := range opts {
		o(&setup)
	}
	image, err := Image(ctx)
	if err != nil {
		return nil, err
	}
	private, public, err := keyPair()
	if err != nil {
		return nil, err
	}
	c := &Host{Kind: kind, Password: setup.password, PrivateKey: private, net: setup.net}
	env := []string{"PASSWORD=" + c.Password, "SSHD_CONFIG=" + strings.Join(setup.config, "\n"), "ALLOW_FROM=" + setup.allowFrom}
	switch kind {
	case PasswordKind, KeyboardInteractiveKind, ExpiredKind, ExpiredPromptKind:
	default:
		env = append(env, "AUTHORIZED_KEY="+public)
	}
	// NET_ADMIN: testhost keeps requests to the metadata service in the container.
	args := []string{"run", "--detach", "--cap-add", "NET_ADMIN", "--label", label, "--hostname", string(kind)}
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		args = append(args, "--env", name) // the value from docker's own: no password in an argv
	}
	if setup.net != nil && !setup.publish {
		args = append(args, "--network", setup.net.Name)
	}
	args = append(append(args, kind.runArgs()...), setup.args...)
	if err := c.run(ctx, env, args, kind.image(image), setup.publish); err != nil {
		return nil, err
	}
	if err := c.wait(ctx); err != nil {
		return nil, errors.Join(err, c.Remove(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// run starts it on a port that was free a moment ago: chosen here and not by
// Docker, so that it stays the same after a restart.
func (c *Host) run(ctx context.Context, env, args []string, image string, publish bool) error {
	for try := 0; ; try++ {
		full := args
		if publish {
			var err error
			if c.port, err = freePort(); err != nil {
				return err
			}
			full = append(full[:len(full):len(full)], "--publish", fmt.Sprintf("127.0.0.1:%d:22", c.port))
		}
		cidfile := filepath.Join(os.TempDir(), "tripod-testhost-cid-"+rand.Text())
		full = append(full[:len(full):len(full)], "--cidfile", cidfile, image, string(c.Kind))
		var err error
		c.ID, err = dockerEnv(ctx, env, full...)
		if err == nil {
			return os.Remove(cidfile)
		}
		// A failed start has left the container behind.
		if id, readErr := os.ReadFile(cidfile); readErr == nil {
			_ = os.Remove(cidfile)
			_, _ = docker(context.WithoutCancel(ctx), "rm", "--force", "--volumes", string(id))
		}
		if try == 5 || ctx.Err() != nil || !strings.Contains(err.Error(), "already") {
			return err
		}
	}
}

func freePort() (uint16, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("container: %w", err)
	}
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port), nil
}

// wait returns when the server greets: the port itself is open long before.
func (c *Host) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		greeting := c.greeting(ctx)
		if strings.HasPrefix(greeting, "SSH-") {
			return nil
		}
		if state, err := docker(ctx, "inspect", "--format", "{{.State.Running}}", c.ID); err != nil || state != "true" {
			return fmt.Errorf("container: the %s container has stopped: %w\n%s", c.Kind, err, c.Logs(ctx))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("container: the %s container does not greet: %w", c.Kind, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *Host) greeting(ctx context.Context) string {
	if c.port == 0 {
		out, _ := c.net.Jump.Exec(ctx, "bash", "-c",
			`for i in 1 2 3 4 5 6 7 8 9 10; do exec 3<>"/dev/tcp/$0/22" && IFS= read -r -t 2 l <&3 && echo "$l" && exit; sleep 0.1; done 2>/dev/null`, c.InsideAddress())
		return out
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(c.port))))
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return line
}

// keyPair makes a private key in OpenSSH form and its authorized_keys line.
func keyPair() (private, public string, err error) {
	key, err := testkeys.New("ed25519")
	if err != nil {
		return "", "", err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return "", "", fmt.Errorf("container: %w", err)
	}
	pub, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return "", "", fmt.Errorf("container: %w", err)
	}
	return string(pem.EncodeToMemory(block)), testkeys.Authorized(pub), nil
}
