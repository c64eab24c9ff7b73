package main

import (
	"encoding/json"
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
	"tripod/testdata/agent"
)

// tellingScript prints what it finds in a folder that is no part of the search,
// plain and disguised, and waits.
const tellingScript = `#!/bin/sh
cat /mnt/secrets
base64 -w 0 /mnt/secrets
od -An -v -tx1 /mnt/secrets | tr -d ' \n'
echo "$OF_ALL $OF_HOST"
printf %s "$OF_HOST" | base64 -w 0
echo "start" >>/root/ran
i=0
while [ ! -e /root/go ] && [ $i -lt 2000 ]; do sleep 0.1; i=$((i + 1)); done
`

// TestSecretsNowhere (C10): passwords, keys, passphrases, tokens, keys of agents and secret variables
// are not to be seen in any process, log, file or answer, on either side, in any form. The agent has its
// keys, and a script its variables, where root alone can read them.
func TestSecretsNowhere(t *testing.T) {
	r := newRig(t, usual)
	secrets, vars := canaries{}, canaries{}
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
		stop, stopVars := secrets.watchProcesses(t, "cmdline", "environ"), vars.watchProcesses(t, "cmdline")
		begin()
		everyContainer(t, cs, func(c *container.Host) {
			waitNoted(t, c, "start")
			in(t, c, "rm /root/ran; touch /root/go")
		})
		t.Cleanup(func() { stop(); stopVars() })
		everyContainer(t, cs, func(c *container.Host) { waitIn(t, c, `test -z "$(ls /var/lib/tripod/runs)"`) })
		t.Logf("looked at all processes %d times", stop())
		everyContainer(t, cs, func(c *container.Host) { in(t, c, "rm -f /root/go") })
	}

	// The batch tool.
	ofAll, ofHost := vars.add("variable of all hosts", awkward()), vars.add("variable of a host", awkward()+"'\\")
	access, secret := secrets.add("access key", awkward()), secrets.add("secret key", awkward()+`"\$`)
	hosts := r.file("hosts.csv", csvRows(t, [][]string{
		{"address", "port", "user", "password", "key", "passphrase", "secret.OF_HOST", "agent_access_key", "agent_secret_key"},
		{"127.0.0.1", fmt.Sprint(byKey.Endpoint().Port), "root", "", locked, passphrase, "", "", ""},
		{"127.0.0.1", fmt.Sprint(byPassword.Endpoint().Port), "op", login, "", "", ofHost, access, secret},
	}))
	variables := r.file("variables", "OF_ALL="+ofAll+"\n")
	script := r.file("telling.sh", tellingScript)
	var p *process
	watched(func() {
		p = r.start("--verbose", "install", "-f", hosts, "--script", script, "--secret-env-file", variables, "--output", "json")
	})
	require.Zero(t, p.wait(), "%s%s", p.out(), p.err())
	assert.Contains(t, p.err(), "level=DEBUG")
	for i, inv := range r.report(p.out()).Invocations {
		log := r.must("logs", "--raw", inv.InvocationID)
		if i == 1 {
			assert.Equal(t, 6, strings.Count(log, "[redacted]"), "plain, base64, hex; two variables, base64:\n%s", log)
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

	// The agent and its keys: of a host, from a file, of a project of the daemon's.
	text, err := json.Marshal(map[string]string{"access_key": access, "secret_key": secret, "region": "north"})
	require.NoError(t, err)
	config := r.file("agent.json", string(text))
	stop := secrets.watchProcesses(t, "cmdline", "environ")
	defer func() { t.Logf("looked at all processes %d times", stop()) }()
	r.must("--verbose", "install", "-f", hosts, "--package", agent.Build(t, agent.Options{Version: "1.0.0"}), "--agent-config", config)
	r.must("hosts", "import", hosts)
	d = r.serve(token, "--verbose", "--package", agent.Build(t, agent.Options{Version: "2.0.0"}), "--agent-config", installer.DefaultProject+"="+config)
	for _, item := range d.ended(d.create(remoteInstall(asKey, remoteHost(byPassword)))...) {
		assert.Equal(t, installer.Succeeded, item.InvocationStatus, item.ResultMsg)
	}
	d.stop()
	for _, c := range cs {
		var has struct{ AccessKey, SecretKey string }
		require.NoError(t, json.Unmarshal([]byte(in(t, c, "cat /usr/local/telescope/bin/conf.json")), &has))
		assert.Equal(t, []string{access, secret}, []string{has.AccessKey, has.SecretKey})
		assert.Len(t, secrets.onHost(t, c), 2)
		vars.onHost(t, c)
	}
	r.must("--verbose", "uninstall", "-f", hosts, "--purge")
	for _, c := range cs {
		assert.Empty(t, in(t, c, "find /usr/local/telescope /var/lib/tripod/kept /var/lib/tripod/runs -mindepth 1 2>/dev/null || true"))
		assert.Empty(t, secrets.onHost(t, c))
	}
	for _, all := range []canaries{secrets, vars} {
		all.inFolder(t, r.dir, hosts, minted, config, variables) // where they come from
	}
}
