package store

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/engine"
	"tripod/installer/sshtest"
)

// fleetWorker stands for hosts: every third one is dead and takes its worker
// deadFor, the others answer at once.
type fleetWorker struct {
	deadFor time.Duration
	most    atomic.Int64 // goroutines at most
	runs    sync.Map     // invocation → how often
	double  atomic.Int64
}

func (w *fleetWorker) Work(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
	if _, again := w.runs.LoadOrStore(job.Invocation.ID, true); again {
		w.double.Add(1)
	}
	for n := int64(runtime.NumGoroutine()); ; {
		most := w.most.Load()
		if n <= most || w.most.CompareAndSwap(most, n) {
			break
		}
	}
	job.Note(installer.StepRecord{Step: installer.StepConnect})
	if dead(job.Invocation.Host.ID) {
		time.Sleep(w.deadFor)
		return installer.Outcome{}, installer.Fail(installer.KindAuthRejected, "dead") // a kind that is not tried again
	}
	return installer.Outcome{}, job.Journal(ctx, installer.StepRecord{Step: installer.StepVerify})
}

func dead(host string) bool { return host[len(host)-1] < '3' }

// TestA20TenThousandHosts, 30 % of them dead: all end, once; goroutines and
// memory stay within bounds that do not grow with the fleet.
func TestA20TenThousandHosts(t *testing.T) {
	hosts, parallel := 10_000, 64
	if !sshtest.Long() {
		hosts, parallel = 1_000, 16
	}
	s := newTest(t, Options{Clock: time.Now})
	submit(t, s, batch("fleet", hostNames(hosts)...))

	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := int64(runtime.NumGoroutine())
	w := &fleetWorker{deadFor: 5 * time.Millisecond}
	d := engine.New(engine.Config{Queue: s, Worker: w, Parallel: parallel, StopWhenIdle: true})
	require.NoError(t, d.Run(t.Context()))

	head, err := s.Batch(t.Context(), project, "fleet")
	require.NoError(t, err)
	assert.Equal(t, map[installer.State]int{installer.Succeeded: hosts * 7 / 10, installer.Failed: hosts * 3 / 10}, head.ByState)
	assert.Zero(t, w.double.Load(), "invocations that were worked on twice")
	// Generous room: the runtime has goroutines of its own.
	assert.Less(t, w.most.Load(), goroutines+10*int64(parallel), "goroutines follow the pool, not the fleet")
	var after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(hosts)*6_500, "bytes that are held afterwards")
}
