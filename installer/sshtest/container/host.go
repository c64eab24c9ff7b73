package container

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshtest/testkeys"
)

// Endpoint is where the host is reached: on a loopback port, or, in a closed
// network, at its address there.
func (c *Host) Endpoint() installer.Endpoint {
	if c.port == 0 {
		return installer.Endpoint{Address: c.InsideAddress(), Port: installer.DefaultPort, User: c.Kind.User()}
	}
	return installer.Endpoint{Address: "127.0.0.1", Port: c.port, User: c.Kind.User()}
}

// Login has the password, except for hosts that take only keys.
func (c *Host) Login() installer.Login {
	if c.Kind == KeyKind {
		return installer.Login{PrivateKey: installer.NewSecret(c.PrivateKey)}
	}
	return installer.Login{Password: installer.NewSecret(c.Password)}
}

// Exec runs a command in the container as root, without SSH.
func (c *Host) Exec(ctx context.Context, args ...string) (string, error) {
	return docker(ctx, append([]string{"exec", c.ID}, args...)...)
}

// ExecInput runs a command as Exec does, with standard input.
func (c *Host) ExecInput(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", append([]string{"exec", "-i", c.ID}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("container: docker exec: %w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// HostKey returns the SSH server's key in authorized_keys form.
func (c *Host) HostKey(ctx context.Context) (string, error) {
	args := []string{"sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub"}
	if c.Kind == DropbearKind {
		args = []string{"sh", "-c", "dropbearkey -y -f /etc/dropbear/ed25519 | grep ^ssh-"}
	}
	out, err := c.Exec(ctx, args...)
	if err != nil {
		return "", err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(out))
	if err != nil {
		return "", fmt.Errorf("container: host key: %w", err)
	}
	return testkeys.Authorized(key), nil
}

// Kill switches the host off without a warning. Its disk stays.
func (c *Host) Kill(ctx context.Context) error {
	_, err := docker(ctx, "kill", c.ID)
	return err
}

// Restart switches the host on, or off and on, and waits for its greeting. It
// comes back under the same port.
func (c *Host) Restart(ctx context.Context) error {
	if _, err := docker(ctx, "restart", "--time", "0", c.ID); err != nil {
		return err
	}
	return c.wait(ctx)
}

// Pause freezes the host: its connections stay open and nothing answers.
func (c *Host) Pause(ctx context.Context) error {
	_, err := docker(ctx, "pause", c.ID)
	return err
}

// Unpause lets it go on.
func (c *Host) Unpause(ctx context.Context) error {
	_, err := docker(ctx, "unpause", c.ID)
	return err
}

// Logs are what the SSH server said, for a failed test.
func (c *Host) Logs(ctx context.Context) string {
	out, err := exec.CommandContext(context.WithoutCancel(ctx), "docker", "logs", "--tail", "50", c.ID).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// Remove ends the host and deletes it.
func (c *Host) Remove(ctx context.Context) error {
	_, err := docker(ctx, "rm", "--force", "--volumes", c.ID)
	return err
}
