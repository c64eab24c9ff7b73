package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/sshtest"
)

// canaries are secrets that must be nowhere, by name, each in the forms in
// which it could hide.
type canaries map[string][]string

func (cs canaries) add(name, value string) string {
	before := ""
	for line := range strings.Lines(value) {
		heading := strings.HasPrefix(before, "-----") // all keys of a sort begin alike
		before = line
		if line = strings.TrimSpace(line); len(line) < 12 || strings.HasPrefix(line, "-----") || heading {
			continue
		}
		raw := []byte(line)
		// Base64 of a part of a longer text looks different at each of three
		// shifts; what is inside of the first and last characters does not.
		for shift := range 3 {
			text := base64.StdEncoding.EncodeToString(append(make([]byte, shift), raw...))
			cs[name] = append(cs[name], strings.TrimRight(text, "=")[4:len(text)-4])
		}
		cs[name] = append(cs[name], line, hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
			url.QueryEscape(line), url.PathEscape(line))
	}
	return value
}

// in returns which canary is in text, and "" if none is.
func (cs canaries) in(text []byte) string {
	for name, forms := range cs {
		for _, form := range forms {
			if bytes.Contains(text, []byte(form)) {
				return fmt.Sprintf("%s (as %.6s…)", name, form)
			}
		}
	}
	return ""
}

// awkward is a random password that looks different in every form.
func awkward() string { return "p/+ &=%" + rand.Text() }

// inFolder looks into every file below dir, except those named.
func (cs canaries) inFolder(t *testing.T, dir string, except ...string) {
	t.Helper()
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		for _, name := range except {
			if path == name {
				return nil
			}
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		files++
		assert.Empty(t, cs.in(raw), "a secret in %s", path)
		return err
	}))
	require.NotZero(t, files, "nothing was looked at")
}

// onHost looks at the disk of a host.
func (cs canaries) onHost(t *testing.T, c *sshtest.Container) {
	t.Helper()
	var patterns []string
	for _, forms := range cs {
		patterns = append(patterns, forms...)
	}
	out, err := c.ExecInput(t.Context(), strings.Join(patterns, "\n"), "sh", "-c",
		"grep -rlaF -f - /etc /home /opt /root /run /tmp /usr/local /var /dev/shm 2>/dev/null || true")
	require.NoError(t, err)
	assert.Empty(t, out, "a secret on the disk of the %s host", c.Kind)
}

// watchProcesses looks again and again at the arguments and the environment of
// every process of this machine, which here has the containers' too, until
// stop is called; it then says how often.
func (cs canaries) watchProcesses(t *testing.T) (stop func() int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Log("no /proc: processes are not looked at")
		return func() int { return 1 }
	}
	ctx, cancel := context.WithCancel(t.Context())
	var rounds int
	var watching sync.WaitGroup
	watching.Go(func() {
		for ; ctx.Err() == nil; rounds++ {
			for _, found := range cs.inProcesses() {
				assert.Fail(t, "a secret of a process can be seen", found)
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return func() int {
		cancel()
		watching.Wait()
		return rounds
	}
}

func (cs canaries) inProcesses() (seen []string) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range all {
		comm, _ := os.ReadFile(proc + "/comm")
		for _, file := range []string{"/cmdline", "/environ"} {
			text, err := os.ReadFile(proc + file)
			if err != nil {
				continue // it has ended
			}
			if found := cs.in(text); found != "" {
				seen = append(seen, fmt.Sprintf("%s in %s of %s", found, file, bytes.TrimSpace(comm)))
			}
		}
	}
	return seen
}

// TestCanariesAreSeen: the search finds what it is for, in each disguise.
func TestCanariesAreSeen(t *testing.T) {
	secret := awkward()
	cs := canaries{}
	cs.add("password", secret)
	for name, text := range map[string]string{
		"plain":  secret,
		"base64": base64.StdEncoding.EncodeToString([]byte("user:" + secret + "\n")),
		"hex":    hex.EncodeToString([]byte(secret)),
		"URL":    "https://host/?q=" + url.QueryEscape(secret),
	} {
		assert.NotEmpty(t, cs.in([]byte("before "+text+" after")), name)
	}
	assert.Empty(t, cs.in([]byte(awkward())))
	if runtime.GOOS != "linux" {
		return
	}
	cmd := exec.Command("sleep", "60")
	cmd.Env = []string{"PASSWORD=" + secret}
	require.NoError(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	assert.Contains(t, strings.Join(cs.inProcesses(), "\n"), "/environ of sleep")
}

// tellingScript prints what it finds in a folder that is no part of the search,
// plain and disguised, and waits.
const tellingScript = `#!/bin/sh
cat /mnt/secrets
base64 -w 0 /mnt/secrets
od -An -v -tx1 /mnt/secrets | tr -d ' \n'
echo "start" >>/root/ran
i=0
while [ ! -e /root/go ] && [ $i -lt 2000 ]; do sleep 0.1; i=$((i + 1)); done
`

// TestSecretsNowhere (C10): passwords, keys, passphrases and tokens are not to
// be seen in any process, log, file or answer, on either side, in any form.
func TestSecretsNowhere(t *testing.T) {
	r := newRig(t)
	secrets := canaries{}
	login := secrets.add("password", awkward())
	passphrase := secrets.add("passphrase", awkward())
	key := newSigner(t, "ed25519")
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	require.NoError(t, err)
	locked := secrets.add("locked key", string(pem.EncodeToMemory(block)))
	block, err = ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	plain := secrets.add("plain key", string(pem.EncodeToMemory(block)))
	public, err := ssh.NewPublicKey(key.Public())
	require.NoError(t, err)

	byKey := sshtest.StartContainer(t, sshtest.KeyKind)
	authorize(t, byKey, keyForm{authorized: string(ssh.MarshalAuthorizedKey(public))})
	// Docker keeps the password that it starts a container with in the
	// environment of all that it runs there. So this one is set afterwards.
	byPassword := sshtest.StartContainer(t, sshtest.SudoPasswordKind)
	byPassword.Password = login
	_, err = byPassword.ExecInput(t.Context(), "op:"+login+"\n", "chpasswd")
	require.NoError(t, err)
	cs := []*sshtest.Container{byKey, byPassword}
	_, err = byPassword.ExecInput(t.Context(), login, "sh", "-c", "cat >/mnt/secrets")
	require.NoError(t, err)
	token := r.token()
	minted := filepath.Join(r.dir, "tripod-1.out") // where r.token has it from
	secrets.add("token", token.Reveal())

	// watched runs something of Tripod's while the scripts run.
	watched := func(begin func()) {
		stop := secrets.watchProcesses(t)
		begin()
		everyContainer(t, cs, func(c *sshtest.Container) {
			eventually(t, "the script runs", func() bool { return strings.Contains(noted(t, c), "start") })
			in(t, c, "rm /root/ran; touch /root/go")
		})
		t.Cleanup(func() { stop() })
		eventually(t, "the scripts end", func() bool {
			for _, c := range cs {
				if in(t, c, "ls /var/lib/tripod/runs") != "" {
					return false
				}
			}
			return true
		})
		t.Logf("looked at all processes %d times", stop())
		everyContainer(t, cs, func(c *sshtest.Container) { in(t, c, "rm -f /root/go") })
	}

	// The batch tool.
	hosts := r.file("hosts.csv", csvRows(t, [][]string{
		{"address", "port", "user", "password", "key", "passphrase"},
		{"127.0.0.1", fmt.Sprint(byKey.Endpoint().Port), "root", "", locked, passphrase},
		{"127.0.0.1", fmt.Sprint(byPassword.Endpoint().Port), "op", login, "", ""},
	}))
	script := r.file("telling.sh", tellingScript)
	var p *process
	watched(func() { p = r.start("--verbose", "install", "-f", hosts, "--script", script, "--output", "json") })
	require.Zero(t, p.wait(), "%s%s", p.out(), p.err())
	assert.Contains(t, p.err(), "level=DEBUG")
	for i, inv := range r.report(p.out()).Invocations {
		log := r.must("logs", "--raw", inv.InvocationID)
		if i == 1 {
			assert.Equal(t, 3, strings.Count(log, "[redacted]"), "plain, base64, hex:\n%s", log)
		}
	}

	// The daemon, with the same hosts.
	d := r.serve(token, "--verbose", "--script", script)
	asKey, asPassword := remoteHost(byKey), remoteHost(byPassword)
	asKey.Password, asKey.UsePEM = installer.NewSecret(plain), true
	var ids []string
	watched(func() { ids = d.create(remoteInstall(asKey, asPassword)) })
	for _, item := range d.ended(ids...) {
		assert.Equal(t, installer.Succeeded, item.InvocationStatus, item.ResultMsg)
	}
	// Refusals must not repeat what was sent either.
	asPassword.RemoteIP = login
	_, err = d.Create(t.Context(), remoteInstall(asPassword))
	_, ok := errors.AsType[*api.Error](err)
	require.True(t, ok, "%v", err)
	assert.Empty(t, secrets.in([]byte(err.Error())))
	d.stop()

	secrets.inFolder(t, r.dir, hosts, minted) // where they come from
	for _, c := range cs {
		secrets.onHost(t, c)
	}
}
