package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest/container"
)

// TestA23MaxStartups: an sshd that drops connections at random once three are
// before their login (MaxStartups 3:50:10), and many hosts' worth of work for
// it at once, by ports of their own: all succeed, and nobody storms. They are
// looked at only: in truth they are one host, where one run would wait for
// another.
func TestA23MaxStartups(t *testing.T) {
	r := newRig(t)
	const hosts = 20
	ports := freePorts(t, hosts)
	var publish []string
	for _, port := range ports {
		publish = append(publish, "--publish", "127.0.0.1:"+port+":22")
	}
	c, err := container.New(t.Context(), container.MaxStartupsKind, container.WithRunArgs(publish...))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Remove(context.Background())) })
	var list strings.Builder
	list.WriteString("address,port,user,password\n")
	for _, port := range ports {
		fmt.Fprintf(&list, "127.0.0.1,%s,root,%s\n", port, c.Password)
	}

	p, code := r.tripod("check", "-f", r.file("hosts.csv", list.String()), "--parallel", "10", "--output", "json")
	require.Zero(t, code, "%s%s", p.out(), p.err())
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
