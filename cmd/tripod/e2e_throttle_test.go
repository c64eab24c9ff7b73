package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest/container"
)

// TestA23MaxStartups: an sshd that drops connections once three are before their login
// (MaxStartups 3:50:10), and work for it at once, by several ports: all succeed, and
// nobody storms. At first strangers who do not log in have every place. The hosts are
// looked at only: in truth they are one host, where one run would wait for another.
func TestA23MaxStartups(t *testing.T) {
	r := newRig(t, usual)
	const hosts, places = 6, 10
	ports := freePorts(t, hosts)
	var publish []string
	for _, port := range ports {
		publish = append(publish, "--publish", "127.0.0.1:"+port+":22")
	}
	c := container.Start(t, container.MaxStartupsKind, container.WithRunArgs(publish...))
	var list strings.Builder
	list.WriteString("address,port,user,password\n")
	for _, port := range ports {
		fmt.Fprintf(&list, "127.0.0.1,%s,root,%s\n", port, c.Password)
	}
	leave := fillStartups(t, c, places)

	p := r.start("check", "-f", r.file("hosts.csv", list.String()), "--parallel", "3", "--output", "json")
	eventually(t, "a connection is dropped", func() bool { return strings.Contains(p.err(), string(installer.KindThrottled)) })
	leave()
	require.Zero(t, p.wait(), "%s%s", p.out(), p.err())
	doc := r.report(p.out())
	require.Len(t, doc.Invocations, hosts)

	tries, dropped := 0, 0
	for _, inv := range doc.Invocations {
		tries += len(inv.Attempts)
		for _, a := range inv.Attempts {
			if a.Kind == installer.KindThrottled {
				dropped++
			}
		}
	}
	t.Logf("%d hosts, %d connections, %d of them dropped", hosts, tries, dropped)
	require.NotZero(t, dropped, "MaxStartups had nothing to do: the test shows nothing")
	assert.LessOrEqual(t, tries, 4*hosts, "a storm")
}

// fillStartups takes every place of an sshd for those that have not logged in, until
// leave is called.
func fillStartups(t *testing.T, c *container.Host, places int) (leave func()) {
	t.Helper()
	var held []net.Conn
	leave = func() {
		for _, conn := range held {
			_ = conn.Close()
		}
	}
	t.Cleanup(leave)
	// Some of them are dropped too, from the third on.
	for len(held) < places {
		conn, err := net.Dial("tcp", c.Endpoint().HostPort())
		require.NoError(t, err)
		greeting, _ := bufio.NewReader(conn).ReadString('\n')
		if !strings.HasPrefix(greeting, "SSH-") {
			require.NoError(t, conn.Close())
			continue
		}
		held = append(held, conn)
	}
	return leave
}
