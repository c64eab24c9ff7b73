package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/sshtest"
	"tripod/installer/sshtest/container"
)

// longScript prints numbered lines for three seconds or so, and on until it is
// told to end. What it did it notes outside of its run folder, whose name is
// the invocation's id.
const longScript = `#!/bin/sh
id=${PWD%/work} id=${id##*/}
echo "start $id" >>/root/ran
i=0
while [ $i -lt 30 ] || [ ! -e /root/go ]; do
	i=$((i + 1))
	echo "line $i"
	sleep 0.1
done
echo "last $i"
echo "end $id" >>/root/ran
`

// TestDaemonSIGKILLOverContainers: kill -9 of the daemon while scripts run on several
// hosts, ten in the long run. After the restart each has run exactly once, and every
// result is recorded with its whole output.
func TestDaemonSIGKILLOverContainers(t *testing.T) {
	r := newRig(t, heavy)
	hosts := 4
	if sshtest.Long() {
		hosts = 10
	}
	cs := container.StartAll(t, repeat(container.PasswordKind, hosts))
	script := r.file("long.sh", longScript)
	token := r.token()

	d := r.serve(token, "--script", script)
	acknowledged := d.create(remoteInstall(remoteHosts(cs)...)) // kept outside of the daemon
	require.Len(t, acknowledged, len(cs))
	everyContainer(t, cs, func(c *container.Host) {
		waitNoted(t, c, "start")
	})
	d.kill()

	// Half of them end while nobody watches, the others after the restart.
	everyContainer(t, cs[:hosts/2], func(c *container.Host) {
		in(t, c, "touch /root/go")
		waitNoted(t, c, "end")
	})
	d = r.serve(token, "--script", script)
	everyContainer(t, cs[hosts/2:], func(c *container.Host) { in(t, c, "touch /root/go") })
	for _, item := range d.ended(acknowledged...) {
		assert.Equal(t, installer.Succeeded, item.InvocationStatus, item.ResultMsg)
	}
	d.stop()

	for i, id := range acknowledged {
		assert.Equal(t, "start "+id+"\nend "+id, noted(t, cs[i]), "what the host itself noted")
		inv := r.stored(id)
		require.Len(t, inv.Attempts, 1, "a crash consumes no attempt")
		assert.Equal(t, 0, *inv.ExitCode)
		requireWhole(t, r.must("logs", "--raw", id))
		assert.Empty(t, in(t, cs[i], "ls /var/lib/tripod/runs"), "run folders are removed")
	}
}

// TestBatchToolSIGKILL: the batch tool is killed, and the same command goes on.
func TestBatchToolSIGKILL(t *testing.T) {
	r := newRig(t, usual)
	cs := container.StartAll(t, repeat(container.PasswordKind, 3))
	args := []string{"install", "-f", r.file("hosts.csv", csvFile(cs...)), "--script", r.file("long.sh", longScript), "--output", "json"}

	p := r.start(args...)
	everyContainer(t, cs, func(c *container.Host) {
		waitNoted(t, c, "start")
	})
	p.kill()
	everyContainer(t, cs, func(c *container.Host) { in(t, c, "touch /root/go") })

	p, code := r.tripod(args...)
	require.Zero(t, code, "%s", p.err())
	assert.Contains(t, p.err(), "resuming batch")
	doc := r.report(p.out())
	require.Len(t, doc.Invocations, len(cs))
	assert.Equal(t, len(cs), doc.Summary.Succeeded)
	for i, inv := range doc.Invocations {
		assert.Equal(t, "start "+inv.InvocationID+"\nend "+inv.InvocationID, noted(t, cs[i]))
		assert.Len(t, inv.Attempts, 1)
		requireWhole(t, r.must("logs", "--raw", inv.InvocationID))
	}
}

// shortScript notes its begin and its end.
const shortScript = `#!/bin/sh
id=${PWD%/work} id=${id##*/}
echo "start $id" >>/root/ran
sleep 0.5
echo "end $id" >>/root/ran
`

// TestDaemonSIGKILLAtRandomMoments: the daemon is killed again and again,
// sometimes while it answers, sometimes in the middle of the work. Whatever it
// has acknowledged runs once, one at a time on each host, and ends well.
func TestDaemonSIGKILLAtRandomMoments(t *testing.T) {
	r := newRig(t, usual)
	const rounds = 6
	random := rand.New(rand.NewPCG(2, 8))
	upTo := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
	cs := container.StartAll(t, repeat(container.PasswordKind, 2))
	serve := []string{"--verbose", "--script", r.file("short.sh", shortScript)}
	token := r.token()

	var acknowledged [][]string
	for round := range rounds {
		d := r.serve(token, serve...)
		if round%2 == 0 {
			answered := make(chan api.Created, 1)
			go func() {
				defer close(answered)
				if created, err := d.Create(t.Context(), remoteInstall(remoteHosts(cs)...)); err == nil {
					answered <- created
				}
			}()
			time.Sleep(upTo(150 * time.Millisecond))
			d.kill()
			if created, ok := <-answered; ok {
				acknowledged = append(acknowledged, idsOf(t, created))
			}
			continue
		}
		acknowledged = append(acknowledged, d.create(remoteInstall(remoteHosts(cs)...)))
		// One that died three times with no step done in between would be set
		// aside; so here each host's connect is done.
		eventually(t, "each host is dialled", func() bool { return strings.Count(d.err(), "msg=dialled") >= len(cs) })
		time.Sleep(100*time.Millisecond + upTo(2*time.Second))
		d.kill()
	}
	d := r.serve(token, serve...)
	var all []string
	for _, ids := range acknowledged {
		all = append(all, ids...)
	}
	t.Logf("%d invocations acknowledged in %d lives of the daemon", len(all), rounds)
	require.GreaterOrEqual(t, len(all), rounds/2*len(cs))
	for _, item := range d.ended(all...) {
		assert.Equal(t, installer.Succeeded, item.InvocationStatus, item.ResultMsg)
	}
	d.stop()

	for i, c := range cs {
		lines := strings.Split(noted(t, c), "\n")
		times := map[string]int{}
		for j := 0; j < len(lines); j += 2 {
			id := strings.TrimPrefix(lines[j], "start ")
			require.Less(t, j+1, len(lines), "a run without an end: %v", lines)
			require.Equal(t, "end "+id, lines[j+1], "runs overlap: %v", lines)
			times[id]++
		}
		for _, ids := range acknowledged {
			assert.Equal(t, 1, times[ids[i]], "%s has run", ids[i])
		}
		for id, n := range times { // also of those whose acknowledgement was lost
			assert.Equal(t, 1, n, "%s has run", id)
		}
	}
	for _, id := range all {
		assert.Len(t, r.stored(id).Attempts, 1, "crashes consume no attempt")
	}
}

func idsOf(t *testing.T, created api.Created) []string {
	t.Helper()
	var ids []string
	for _, one := range created.Invocations {
		assert.Equal(t, api.RetSuccessful, one.RetStatus, "%s %s", one.ErrorCode, one.ErrorMsg)
		ids = append(ids, one.InvocationID)
	}
	return ids
}

var numbered = regexp.MustCompile(`(?m)^line (\d+)$`)

// requireWhole: every line of longScript's output once and in order, whatever
// notes of ours are between them.
func requireWhole(t *testing.T, log string) {
	t.Helper()
	lines := numbered.FindAllStringSubmatch(log, -1)
	require.GreaterOrEqual(t, len(lines), 30)
	for i, line := range lines {
		require.Equal(t, fmt.Sprint(i+1), line[1], "lines lost or doubled:\n%s", log)
	}
	require.Equal(t, 1, strings.Count(log, fmt.Sprintf("last %d\n", len(lines))), "%s", log)
}

// noted is what longScript noted on the host.
func noted(t *testing.T, c *container.Host) string {
	t.Helper()
	return in(t, c, "cat /root/ran 2>/dev/null || true")
}

func repeat(kind container.Kind, n int) []container.Kind {
	var kinds []container.Kind
	for range n {
		kinds = append(kinds, kind)
	}
	return kinds
}

// everyContainer calls f for all at once.
func everyContainer(t *testing.T, cs []*container.Host, f func(*container.Host)) {
	t.Helper()
	var wg sync.WaitGroup
	for _, c := range cs {
		wg.Go(func() { f(c) })
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
