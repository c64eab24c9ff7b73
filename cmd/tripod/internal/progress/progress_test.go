package progress

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"tripod/cmd/tripod/internal/term"
	"tripod/installer"
)

func testProgress(out *bytes.Buffer, total int, live bool) *Progress {
	p := New(&term.Console{To: out}, live, false, installer.BatchHead{Total: total, Open: total})
	p.size = func() (int, int) { return 60, 10 }
	return p
}

func testInvocation(n int) *installer.Invocation {
	return &installer.Invocation{
		ID:   fmt.Sprintf("inv-%d", n),
		Host: installer.Host{Endpoint: installer.Endpoint{Address: fmt.Sprintf("10.0.0.%d", n), Port: 22}},
	}
}

func TestProgressInPlainLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := testProgress(&out, 3, false)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); p.Run(ctx) }()

		now := time.Now()
		one, two, three := testInvocation(1), testInvocation(2), testInvocation(3)
		two.Host.Name = "web\x1b[2J"
		for _, inv := range []*installer.Invocation{one, two, three} {
			p.Watch(installer.EventOf(inv, now))
			begins := installer.EventOf(inv, now)
			begins.Step = installer.StepConnect
			p.Watch(begins)
		}
		end := func(inv *installer.Invocation, t installer.AttemptEnd) {
			ends := installer.EventOf(inv, now.Add(2500*time.Millisecond))
			ends.End = &t
			p.Watch(ends)
		}
		end(one, installer.AttemptEnd{State: installer.Succeeded, EndAttempt: true, Skipped: true})
		end(two, installer.AttemptEnd{State: installer.Pending, EndAttempt: true, Kind: installer.KindThrottled, Message: "dropped\x07", NotBefore: now.Add(4500 * time.Millisecond)})
		end(three, installer.AttemptEnd{State: installer.Pending})
		stop()
		<-done
		assert.Equal(t, `[0/3] 10.0.0.1: started
[0/3] web\x1b[2J (10.0.0.2): started
[0/3] 10.0.0.3: started
[1/3] 10.0.0.1: skipped (2.5s)
[1/3] web\x1b[2J (10.0.0.2): throttled, retrying in 2.0s: dropped\x07
[1/3] 10.0.0.3: interrupted
`, out.String())
	})
}

func TestProgressLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := testProgress(&out, 100, true)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); p.Run(ctx) }()
		for i := range 20 {
			p.Watch(installer.EventOf(testInvocation(i), time.Now()))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		frames := strings.Count(out.String(), "\x1b[J")
		assert.LessOrEqual(t, frames, 10, "no more than ten a second")
		assert.GreaterOrEqual(t, frames, 8)
		last := out.String()[strings.LastIndex(out.String(), "\x1b[J"):]
		assert.Contains(t, last, "[  0/100] 0 succeeded, 0 failed, 20 running, 80 waiting, 1.")
		assert.Contains(t, last, "connect    1.0s  10.0.0.0\n")
		assert.Contains(t, last, "… and 15 more\n")
		assert.Len(t, strings.Split(strings.TrimSpace(last), "\n"), 7, "long fleets are summarised")

		failed := installer.EventOf(testInvocation(7), time.Now())
		failed.End = &installer.AttemptEnd{State: installer.Failed, EndAttempt: true, Kind: installer.KindRefused, Message: "no"}
		p.Watch(failed)
		stop()
		<-done
		assert.True(t, strings.HasSuffix(out.String(), "\x1b[J[  1/100] 10.0.0.7: failed refused (1.0s): no\n"), "the block is gone at the end: %q", out.String()[len(out.String())-80:])
	})
}

// A terminal that does not take output (Ctrl-S) must not hold up the workers.
func TestProgressNeverBlocksWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		console := &term.Console{To: writerFunc(func(p []byte) (int, error) { <-stuck; return len(p), nil })}
		p := New(console, false, false, installer.BatchHead{Total: 1000, Open: 1000})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); p.Run(ctx) }()
		for i := range 1000 { // returns though nothing is written
			p.Watch(installer.EventOf(testInvocation(i), time.Now()))
		}
		synctest.Wait()
		close(stuck)
		stop()
		<-done
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestClip(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "abc", clip("abc", 3))
	assert.Equal(t, "ab", clip("abc", 2))
	assert.Equal(t, "äö", clip("äöü", 2))
	assert.Equal(t, "中", clip("中文", 3))
	assert.Empty(t, clip("中文", 1))
}
