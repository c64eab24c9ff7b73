package main

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
	"tripod/installer/sshtest/container"
)

const helloScript = "#!/bin/sh\necho \"hello from $(hostname)\"\necho ran >>/root/ran\n"

// TestClosedNetworkBatchVia: many targets over one connection to the jump host.
// Neither side is shown the other's password.
func TestClosedNetworkBatchVia(t *testing.T) {
	r := newRig(t, usual)
	n := container.StartNetwork(t, repeat(container.PasswordKind, 3))
	notePasswords(t, n.Jump)
	for _, target := range n.Targets {
		notePasswords(t, target)
		requireNoGreeting(t, target)
	}
	at := n.Jump.Endpoint()
	hosts, script := r.file("hosts.csv", csvFile(n.Targets...)), r.file("hello.sh", helloScript)
	install := func(viaPassword string) (*process, int) {
		return r.tripod("install", "-f", hosts, "--script", script, "--output", "json",
			"--via", at.User+"@"+at.HostPort(), "--via-password-file", r.file("via", viaPassword+"\n"))
	}

	// With the wrong password of the jump host it is the jump host that is
	// named, and no target has heard anything.
	p, code := install("wrong-" + n.Targets[0].Kind.User())
	require.Equal(t, exit.Hosts, code, "%s", p.err())
	for _, inv := range r.report(p.out()).Invocations {
		assert.Equal(t, installer.KindAuthRejected, inv.Kind)
		assert.Contains(t, inv.Message, at.HostPort(), "the installer is named")
	}
	assert.Len(t, passwordsAt(t, n.Jump), 1, "a rejected password is offered once, for all targets")
	before := acceptedLogins(t, n.Jump)

	p, code = install(n.Jump.Password)
	require.Zero(t, code, "%s%s", p.out(), p.err())
	assert.Equal(t, len(n.Targets), r.report(p.out()).Summary.Succeeded)
	assert.Equal(t, 1, acceptedLogins(t, n.Jump)-before, "one connection to the jump host for all targets")
	assert.Equal(t, []string{"wrong-root", n.Jump.Password}, passwordsAt(t, n.Jump))
	for _, target := range n.Targets {
		assert.Equal(t, "ran", noted(t, target))
		assert.Equal(t, []string{target.Password}, passwordsAt(t, target))
	}
}

// TestClosedNetworkAPI: a host becomes the project's installer, if it can be
// one, and from then on hosts are reached through it.
func TestClosedNetworkAPI(t *testing.T) {
	r := newRig(t, usual)
	n := container.StartNetwork(t, repeat(container.PasswordKind, 2))
	unfit := container.Start(t, container.NoForwardingKind)
	token := r.token()
	d := r.serve(token, "--script", r.file("hello.sh", helloScript))
	for _, target := range n.Targets {
		requireNoGreeting(t, target)
	}

	// Both become known hosts, dialled directly.
	items := d.ended(d.create(remoteInstall(remoteHost(n.Jump), remoteHost(unfit)))...)
	for _, item := range items {
		require.Equal(t, installer.Succeeded, item.InvocationStatus, item.ResultMsg)
	}
	set := func(id string) api.Item {
		return d.ended(d.create(apitest.CreateRequest{InvocationType: string(installer.SetRemoteInstaller), InstanceIDs: []string{id}})...)[0]
	}
	refused := set(items[1].InstanceID)
	assert.Equal(t, installer.Failed, refused.InvocationStatus)
	assert.Contains(t, refused.ResultMsg, string(installer.KindChannelDenied)+": ")
	assert.Contains(t, refused.ResultMsg, "AllowTcpForwarding", "the hint")
	taken := set(items[0].InstanceID)
	require.Equal(t, installer.Succeeded, taken.InvocationStatus, taken.ResultMsg)
	assert.Equal(t, "ran", noted(t, n.Jump), "nothing is installed on an installer")

	before := acceptedLogins(t, n.Jump)
	targets := d.ended(d.create(remoteInstall(remoteHosts(n.Targets)...))...)
	for _, item := range targets {
		assert.Equal(t, installer.Succeeded, item.InvocationStatus, item.ResultMsg)
		assert.Equal(t, installer.RemoteInstall, item.InvocationType)
	}
	for _, target := range n.Targets {
		assert.Equal(t, "ran", noted(t, target))
	}
	assert.Equal(t, 1, acceptedLogins(t, n.Jump)-before, "one connection for both targets")
	list, err := d.List(t.Context(), installer.Filter{Type: installer.SetRemoteInstaller})
	require.NoError(t, err)
	assert.EqualValues(t, 2, list.Count)

	// The command of the same name, and back: what is behind it is reached no more.
	command := func(args ...string) (*process, int) {
		return r.tripod(append(args, "--server", d.BaseURL, "--token-file", r.file("token", token.Reveal()))...)
	}
	p, code := command("set-remote-installer", "--output", "json", items[0].InstanceID, items[1].InstanceID)
	require.Equal(t, exit.Hosts, code, "%s", p.err())
	for _, inv := range r.report(p.out()).Invocations {
		fit := inv.InstanceID == items[0].InstanceID
		assert.Equal(t, fit, inv.InvocationStatus == installer.Succeeded, inv.Message)
		assert.Equal(t, !fit, inv.Kind == installer.KindChannelDenied, inv.Message)
	}
	p, code = command("set-remote-installer", "--unset", items[0].InstanceID)
	require.Zero(t, code, "%s", p.err())
	left, err := d.Create(t.Context(), apitest.CreateRequest{InvocationType: string(installer.Install), InstanceIDs: []string{targets[0].InstanceID}})
	require.NoError(t, err)
	require.Len(t, left.Invocations, 1)
	assert.Equal(t, api.Code("invocationmgr.0004"), left.Invocations[0].ErrorCode, left.Invocations[0].ErrorMsg)
	d.stop()
}

// notePasswords makes a host note each password that its SSH server is given.
func notePasswords(t *testing.T, c *container.Host) {
	t.Helper()
	in(t, c, `printf '#!/bin/sh\n{ tr -d "\\000"; echo; } >>/run/passwords\n' >/usr/local/sbin/note-password
chmod 700 /usr/local/sbin/note-password
sed -i '1i auth optional pam_exec.so expose_authtok quiet /usr/local/sbin/note-password' /etc/pam.d/sshd`)
}

func passwordsAt(t *testing.T, c *container.Host) []string {
	t.Helper()
	return strings.Fields(in(t, c, "cat /run/passwords 2>/dev/null || true"))
}

// acceptedLogins is how many logins the SSH server says it has accepted.
func acceptedLogins(t *testing.T, c *container.Host) int {
	t.Helper()
	log, err := dockerLogs(t.Context(), c)
	require.NoError(t, err)
	return strings.Count(log, "Accepted ")
}

// requireNoGreeting: dialled directly, the host says nothing.
func requireNoGreeting(t *testing.T, c *container.Host) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", c.Endpoint().HostPort(), 2*time.Second)
	if err != nil {
		return
	}
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
	line, _ := bufio.NewReader(conn).ReadString('\n')
	require.Empty(t, line, "a host of the closed network greets whom it must not")
}
