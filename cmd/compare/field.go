package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// listenersPerSSHD: sshd refuses more than 16 ListenAddress lines.
const listenersPerSSHD = 16

const (
	fieldImage = "debian:bookworm-slim"
	fieldPort  = "2222"
)

// sharedFolder is where the container and this program meet: runs gets a line for
// each run of a script, gate is a FIFO that scripts can wait at.
const sharedFolder = "/shared"

// gosshFolder is in the home of each host's own user: gossh has one name for all copies.
const gosshFolder = "gossh"

// field is what all tools work on: the sshd, the addresses, the key.
type field struct {
	config
	dir       string
	container string
	hosts     []string // addresses, all on loopback
	key       string   // path of the private key
	sshConfig string   // path of an ssh_config for the tools that start ssh
	works     int      // made so far
}

// userOf is the user that is root on this address and has a home of its own, for
// the tools that would write to the same file on all of them.
func userOf(host string) string { return "h" + strings.ReplaceAll(host, ".", "-") }

func newField(ctx context.Context, c config) (_ *field, err error) {
	dir, err := os.MkdirTemp("", "tripod-compare-")
	if err != nil {
		return nil, err
	}
	f := &field{config: c, dir: dir}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	second := 1 + os.Getpid()%250 // another comparison may run beside this one
	for i := range c.hosts {
		f.hosts = append(f.hosts, fmt.Sprintf("127.%d.%d.%d", second, 1+i/250, 1+i%250))
	}
	authorized, err := f.writeKey()
	if err != nil {
		return nil, err
	}
	if err := f.writeFiles(); err != nil {
		return nil, err
	}
	if err := f.startSSHD(ctx, authorized); err != nil {
		return nil, err
	}
	return f, f.waitForSSHD(ctx)
}

func (f *field) close() {
	if f.container != "" {
		_ = exec.Command("docker", "rm", "-f", f.container).Run()
	}
	_ = os.RemoveAll(f.dir)
}

func (f *field) path(name string) string { return filepath.Join(f.dir, name) }

func (f *field) write(name, text string) (string, error) {
	return f.path(name), os.WriteFile(f.path(name), []byte(text), 0o600)
}

func (f *field) writeKey() (authorized string, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return "", err
	}
	if f.key, err = f.write("key", string(pem.EncodeToMemory(block))); err != nil {
		return "", err
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", err
	}
	return string(ssh.MarshalAuthorizedKey(sshPublic)), nil
}

func (f *field) writeFiles() (err error) {
	if err := os.MkdirAll(f.path("shared"), 0o755); err != nil {
		return err
	}
	if _, err := f.write("shared/runs", ""); err != nil {
		return err
	}
	if err := syscall.Mkfifo(f.path("shared/gate"), 0o600); err != nil {
		return err
	}
	text := ""
	for _, h := range f.hosts {
		text += "Host " + h + "\n  User " + userOf(h) + "\n"
	}
	f.sshConfig, err = f.write("ssh_config", text+fmt.Sprintf(`Host *
  IdentityFile %s
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
`, f.key))
	return err
}

// startSSHD runs as many sshd processes as the addresses need in one container
// on the host's own network, bound to loopback, so that no proxy of Docker's
// is in the way.
func (f *field) startSSHD(ctx context.Context, authorized string) error {
	const prepare = `FROM ` + fieldImage + `
RUN apt-get update && apt-get install -y --no-install-recommends openssh-server openssh-sftp-server python3-minimal && mkdir -p /run/sshd
`
	build := exec.CommandContext(ctx, "docker", "build", "-q", "-t", "tripod-compare", "-")
	build.Stdin = strings.NewReader(prepare)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the sshd image (is there a Docker engine, and did `make images` work?): %w\n%s", err, out)
	}
	start := "set -e; mkdir -p /root/.ssh; umask 077; cat >/root/.ssh/authorized_keys\ncat /field/passwd >>/etc/passwd\n"
	passwd := ""
	for i := 0; i < len(f.hosts); i += listenersPerSSHD {
		sshd := "PidFile none\nMaxStartups 1000\nPermitRootLogin prohibit-password\nUseDNS no\nPrintMotd no\nAuthorizedKeysFile /root/.ssh/authorized_keys\nSubsystem sftp internal-sftp\n"
		match := ""
		for _, h := range f.hosts[i:min(i+listenersPerSSHD, len(f.hosts))] {
			// Each address is a host of its own for Tripod, which lets one
			// run at a time work on a host.
			root := "/hosts/" + h
			start += "mkdir -p " + root + "/var/lib " + root + "/home/" + gosshFolder + "\n"
			passwd += fmt.Sprintf("%s:x:0:0::%s/home:/bin/bash\n", userOf(h), root)
			sshd += "ListenAddress " + h + ":" + fieldPort + "\n"
			match += fmt.Sprintf("Match LocalAddress %s\n  SetEnv TRIPOD_ROOT=%s\n", h, root)
		}
		name := fmt.Sprintf("sshd_config-%d", i)
		if _, err := f.write(name, sshd+match); err != nil {
			return err
		}
		start += "/usr/sbin/sshd -f /field/" + name + "\n"
	}
	start += "exec sleep infinity\n"
	if _, err := f.write("passwd", passwd); err != nil {
		return err
	}
	run := exec.CommandContext(ctx, "docker", "run", "-d", "--rm", "--init", "--network", "host", "--label", "tripod-compare",
		"-v", f.dir+":/field:ro", "-v", f.path("shared")+":"+sharedFolder, "tripod-compare", "sh", "-c", "sh /field/start.sh </field/authorized_keys")
	if _, err := f.write("start.sh", start); err != nil {
		return err
	}
	if _, err := f.write("authorized_keys", authorized); err != nil {
		return err
	}
	out, err := run.Output()
	if err != nil {
		return fmt.Errorf("start the sshd container: %w", err)
	}
	f.container = strings.TrimSpace(string(out))
	return nil
}

func (f *field) waitForSSHD(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var d net.Dialer
	for _, h := range f.hosts {
		for {
			conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(h, fieldPort))
			if err == nil {
				_ = conn.Close()
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("sshd does not listen on %s: %w", h, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// ran returns how often the script of w has run.
func (f *field) ran(w work) int {
	runs, _ := os.ReadFile(f.path("shared/runs"))
	return bytes.Count(runs, []byte(w.name+"\n"))
}
