package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/report"
	"tripod/installer"
	"tripod/installer/sshtest/container"
	"tripod/testdata/agent"
)

// member is one host of the fleet: how it is reached, and what must become of it.
type member struct {
	name   string
	kind   container.Kind // empty: no container of its own
	host   string         // of another member, by a second port
	user   string         // default: the kind's
	pass   string         // default: the container's
	key    bool           // logs in with the key
	become string         // how to become root, with a password of its own; default: as the host has it
	want   installer.Kind // empty: it succeeds
	said   string         // in the message
}

// fleet has every kind of host that there is, in one hosts file.
func fleet() []member {
	return []member{
		{name: "password", kind: container.PasswordKind},
		{name: "keyboard-interactive", kind: container.KeyboardInteractiveKind},
		{name: "key", kind: container.KeyKind, key: true},
		{name: "sftp-off", kind: container.SFTPOffKind},
		{name: "sudo-nopasswd", kind: container.SudoNoPasswordKind},
		{name: "sudo-password", kind: container.SudoPasswordKind},
		{name: "sudo-requiretty", kind: container.SudoRequireTTYKind},
		{name: "sudo-su", kind: container.SudoSuKind},
		{name: "doas", kind: container.DoasKind},
		{name: "su", kind: container.SuKind, become: "su"},
		{name: "noexec", kind: container.NoexecKind},
		{name: "chatty", kind: container.ChattyKind},
		{name: "csh", kind: container.CshKind},
		{name: "fish", kind: container.FishKind},
		{name: "dropbear", kind: container.DropbearKind},
		{name: "max-sessions", kind: container.MaxSessionsKind},

		{name: "wrong-password", host: "password", pass: "not-it", want: installer.KindAuthRejected},
		{name: "expired", kind: container.ExpiredKind, want: installer.KindPasswordExpired},
		{name: "expired-prompt", kind: container.ExpiredPromptKind, want: installer.KindPasswordExpired},
		{name: "sudo-denied", kind: container.SudoDeniedKind, want: installer.KindSudoDenied, said: "not in sudoers"},
		{name: "root-refused", host: "sudo-denied", user: "root", want: installer.KindAuthRejected},
		{name: "nologin", kind: container.NologinKind, want: installer.KindLoginClosed, said: "currently not available"},
		{name: "legacy", kind: container.LegacyKind, want: installer.KindHandshakeFailed},
		{name: "changed-key", kind: container.PasswordKind, want: installer.KindHostKeyChanged},
		{name: "closed-port", want: installer.KindRefused},
	}
}

// unanswering are hosts that end at a time limit.
func unanswering() []member {
	return []member{
		{name: "silent", want: installer.KindHandshakeTimeout},
		{name: "dead-address", want: installer.KindUnreachable},
	}
}

// rootScript leaves a note if it runs as root in the run folder.
const rootScript = "#!/bin/sh\ncase $(id -u):$(pwd) in 0:/var/lib/tripod/runs/*) echo ran >>/root/ran ;; esac\n"

// whatIsLeft lists what an attempt may have left on a host.
const whatIsLeft = "ls -A /var/lib/tripod/runs /var/lib/tripod/files /tmp 2>&1; ls -d /home/*/*tripod* /root/*tripod* /var/tmp/*tripod* 2>/dev/null; true"

// TestWaysIn (point 3): one fleet, one hosts file, one command. The script runs once on
// each host, as root, and nothing is left of it; each host that cannot be used ends
// with its own kind and a hint, within its own limit. Those that end at a time limit have
// a command of their own beside it: all others are given more time than they need.
func TestWaysIn(t *testing.T) {
	r := newRig(t, heavy)
	members := fleet()
	cs, rows := startFleet(t, members)

	changed := cs["changed-key"]
	notePasswords(t, changed)
	r.must("check", "-f", r.file("first.csv", csvFile(changed))) // pins its key
	in(t, changed, "rm /etc/ssh/ssh_host_*")
	require.NoError(t, changed.Restart(t.Context())) // makes a new one
	heard := len(passwordsAt(t, changed))

	install := func(name string, rows [][]string) []string {
		return []string{"install", "-f", r.file(name, csvRows(t, rows)), "--script", r.file("root.sh", rootScript), "--output", "json"}
	}
	slow := r.startProgram("tripod-usual", append(install("slow.csv", unansweringRows(t)), "--state-dir", filepath.Join(r.dir, "slow"))...)
	began := time.Now()
	p, code := r.tripod(append(install("hosts.csv", rows), "--parallel", "8")...)
	took := time.Since(began)
	require.Equal(t, exit.Hosts, code, "%s", p.err())
	doc := r.report(p.out())
	require.Len(t, doc.Invocations, len(members))

	var sum time.Duration
	for i, inv := range doc.Invocations {
		m := members[i]
		sum += time.Duration(inv.DurationMS) * time.Millisecond
		t.Logf("%-22s %-9s %-18s %6d ms, %d attempts: %s", m.name, inv.InvocationStatus, inv.Kind, inv.DurationMS, len(inv.Attempts), inv.Message)
		assert.Equal(t, m.name, inv.InstanceName)
		assert.Equal(t, m.want, inv.Kind, "%s: %s", m.name, inv.Message)
		if c := cs[m.name]; c != nil {
			left := in(t, c, whatIsLeft)
			assert.NotContains(t, left, "tripod.", m.name)
			assert.NotContains(t, left, inv.InvocationID, m.name)
		}
		if m.want == "" {
			assert.Equal(t, installer.Succeeded, inv.InvocationStatus, m.name)
			assert.Equal(t, "ran", noted(t, cs[m.name]), m.name)
			continue
		}
		requireFailed(t, m, inv)
	}
	t.Logf("%d hosts in %s; one after the other: %s", len(members), took, sum)
	assert.Less(t, took, sum, "hosts wait for each other")
	assert.Len(t, passwordsAt(t, changed), heard, "no credential is sent to a host whose key has changed")

	installAgent(t, r, rows, members, "csh", "dropbear")

	require.Equal(t, exit.Hosts, slow.wait(), "%s", slow.err())
	doc = r.report(slow.out())
	require.Len(t, doc.Invocations, 2)
	for i, limit := range []time.Duration{15 * time.Second, 10 * time.Second} { // the handshake's, the connect's
		requireFailed(t, unanswering()[i], doc.Invocations[i])
		requireOwnLimit(t, doc.Invocations[i], limit)
	}
}

// requireFailed: it has failed as the member must, with a hint.
func requireFailed(t *testing.T, m member, inv report.JSONInvocation) {
	t.Helper()
	assert.Equal(t, m.name, inv.InstanceName)
	assert.Equal(t, m.want, inv.Kind, "%s: %s", m.name, inv.Message)
	assert.Equal(t, installer.Failed, inv.InvocationStatus, m.name)
	assert.Equal(t, m.want.Hint(), inv.Hint, m.name)
	assert.NotEmpty(t, inv.Message, m.name)
	assert.Contains(t, inv.Message, m.said, m.name)
	if m.want.Info().Tries == 1 {
		assert.Len(t, inv.Attempts, 1, "%s is not tried again", m.name)
	}
}

// unansweringRows is the hosts file of unanswering.
func unansweringRows(t *testing.T) [][]string {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // its connections are never looked at
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	_, port, err := net.SplitHostPort(silent.Addr().String())
	require.NoError(t, err)
	rows := [][]string{{"name", "address", "port", "user", "password"}}
	for i, m := range unanswering() {
		rows = append(rows, []string{m.name, "127.0.0.1", []string{port, deadPort(t)}[i], "root", "any"})
	}
	return rows
}

// startFleet runs the containers, each published by a second port too, and
// makes the rows of the hosts file.
func startFleet(t *testing.T, members []member) (map[string]*container.Host, [][]string) {
	t.Helper()
	free := freePorts(t, len(members))
	all, second := make([]*container.Host, len(members)), map[string]string{}
	var starting errgroup.Group
	starting.SetLimit(4)
	for i, m := range members {
		if m.kind == "" {
			continue
		}
		second[m.name] = free[i]
		starting.Go(func() (err error) {
			all[i], err = container.New(t.Context(), m.kind, container.WithRunArgs("--publish", "127.0.0.1:"+free[i]+":22"))
			return err
		})
	}
	err := starting.Wait()
	cs := map[string]*container.Host{}
	for i, c := range all {
		if c == nil {
			continue
		}
		cs[members[i].name] = c
		t.Cleanup(func() { assert.NoError(t, c.Remove(context.Background())) })
	}
	require.NoError(t, err)
	rows := [][]string{{"name", "address", "port", "user", "password", "key", "become", "sudo_password"}}
	for i, m := range members {
		row := []string{m.name, "127.0.0.1", free[i], m.user, m.pass, "", m.become, ""}
		c := cs[m.name]
		if m.host != "" {
			c, row[2] = cs[m.host], second[m.host]
		} else if c != nil {
			row[2] = fmt.Sprint(c.Endpoint().Port)
		}
		if c != nil && m.user == "" {
			row[3] = c.Kind.User()
		}
		switch {
		case m.key:
			row[5] = c.PrivateKey
		case m.pass == "" && c != nil:
			row[4] = c.Password
		case m.pass == "":
			row[4] = "any"
		}
		if m.become != "" {
			row[7] = c.Password // root's is the same
		}
		rows = append(rows, row)
	}
	return cs, rows
}

// requireOwnLimit: each attempt took its limit, and not much more than that.
func requireOwnLimit(t *testing.T, inv report.JSONInvocation, limit time.Duration) {
	t.Helper()
	const slow = time.Minute // for machines with too much to do
	require.NotEmpty(t, inv.Attempts)
	for _, a := range inv.Attempts {
		if a.Kind != inv.Kind {
			continue
		}
		took := time.Duration(a.DurationMS) * time.Millisecond
		assert.Greater(t, took, limit-time.Second, inv.InstanceName)
		assert.Less(t, took, limit+slow, inv.InstanceName)
	}
}

// installAgent puts the stand-in agent on some of the hosts, twice: the second
// time there is nothing to do.
func installAgent(t *testing.T, r *rig, rows [][]string, members []member, names ...string) {
	t.Helper()
	some := rows[:1:1]
	for i, m := range members {
		for _, name := range names {
			if m.name == name {
				some = append(some, rows[i+1])
			}
		}
	}
	archive := agent.Build(t, agent.Options{Version: "2.5.1"})
	args := []string{"install", "-f", r.file("agent.csv", csvRows(t, some)), "--package", archive, "--output", "json"}
	for _, skipped := range []bool{false, true} {
		p, code := r.tripod(args...)
		require.Zero(t, code, "%s%s", p.out(), p.err())
		doc := r.report(p.out())
		require.Len(t, doc.Invocations, len(names))
		for _, inv := range doc.Invocations {
			assert.Equal(t, "2.5.1", inv.TargetVersion, inv.InstanceName)
			assert.Equal(t, skipped, inv.Skipped, inv.InstanceName)
		}
	}
}

// deadPort is a port on loopback that answers no SYN: its listener has no more
// room and never accepts.
func deadPort(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	at, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	port := fmt.Sprint(at.(*syscall.SockaddrInet4).Port)
	for range 20 {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), time.Second)
		if err != nil {
			require.True(t, strings.Contains(err.Error(), "timeout"), "%v", err)
			return port
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the listener takes everybody")
	return ""
}
