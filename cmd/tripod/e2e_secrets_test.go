package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/sshtest/container"
)

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
	r := newRig(t, usual)
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

	byKey := container.Start(t, container.KeyKind)
	authorize(t, byKey, keyForm{authorized: string(ssh.MarshalAuthorizedKey(public))})
	// Docker keeps the password that it starts a container with in the
	// environment of all that it runs there. So this one is set afterwards.
	byPassword := container.Start(t, container.SudoPasswordKind)
	byPassword.Password = login
	_, err = byPassword.ExecInput(t.Context(), "op:"+login+"\n", "chpasswd")
	require.NoError(t, err)
	cs := []*container.Host{byKey, byPassword}
	_, err = byPassword.ExecInput(t.Context(), login, "sh", "-c", "cat >/mnt/secrets")
	require.NoError(t, err)
	token := r.token()
	minted := filepath.Join(r.dir, "tripod-1.out") // where r.token has it from
	secrets.add("token", token.Reveal())

	// watched runs something of Tripod's while the scripts run.
	watched := func(begin func()) {
		stop := secrets.watchProcesses(t)
		begin()
		everyContainer(t, cs, func(c *container.Host) {
			waitNoted(t, c, "start")
			in(t, c, "rm /root/ran; touch /root/go")
		})
		t.Cleanup(func() { stop() })
		everyContainer(t, cs, func(c *container.Host) { waitIn(t, c, `test -z "$(ls /var/lib/tripod/runs)"`) })
		t.Logf("looked at all processes %d times", stop())
		everyContainer(t, cs, func(c *container.Host) { in(t, c, "rm -f /root/go") })
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
	asKey.Credentials.Login = installer.Login{PrivateKey: installer.NewSecret(plain)}
	var ids []string
	watched(func() { ids = d.create(remoteInstall(asKey, asPassword)) })
	for _, item := range d.ended(ids...) {
		assert.Equal(t, installer.Succeeded, item.InvocationStatus, item.ResultMsg)
	}
	// Refusals must not repeat what was sent either.
	asPassword.Host.Address = login
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
