package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/inventory"
)

func hostNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("host-%06d", i)
	}
	return names
}

// BenchmarkSubmit100 is one API request at its limit.
func BenchmarkSubmit100(b *testing.B) {
	s := newTest(b, Options{})
	hosts := hostNames(100)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		require.NoError(b, s.Submit(context.Background(), batch(fmt.Sprintf("B%08d", n), hosts...)))
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*100), "µs/host")
}

// BenchmarkSubmit10000 is a large hosts file.
func BenchmarkSubmit10000(b *testing.B) {
	s := newTest(b, Options{})
	hosts := hostNames(10_000)
	n := 0
	for b.Loop() {
		n++
		require.NoError(b, s.Submit(context.Background(), batch(fmt.Sprintf("B%08d", n), hosts...)))
	}
}

// BenchmarkClaimJournalFinish is all that the store does for one host after
// its submission: claim, credentials, a log, six steps, the result.
func BenchmarkClaimJournalFinish(b *testing.B) {
	for _, workers := range []int{1, 32} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			s := newTest(b, Options{})
			submit(b, s, batch("B", hostNames(b.N)...))
			before, commits := cpuTime(b), lastCommit(b, s)
			b.ReportAllocs()
			b.ResetTimer()
			var done atomic.Int64
			var wg sync.WaitGroup
			for range workers {
				wg.Go(func() {
					for {
						more, err := workOnOne(s)
						if err != nil {
							b.Error(err)
						}
						if !more {
							return
						}
						done.Add(1)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			require.EqualValues(b, b.N, done.Load())
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/host")
			b.ReportMetric(float64(lastCommit(b, s)-commits)/float64(b.N), "commits/host")
		})
	}
}

// lastCommit is the number of the newest transaction.
func lastCommit(b *testing.B, s *Store) (id int) {
	require.NoError(b, s.View(context.Background(), func(t *inventory.Tx) error {
		id = t.ID()
		return nil
	}))
	return id
}

func workOnOne(s *Store) (bool, error) {
	ctx := context.Background()
	inv, _, err := s.Claim(ctx, t0, installer.ClaimFilter{BatchID: "B"})
	if err != nil || inv == nil {
		return false, err
	}
	_, err = s.Credentials(ctx, inv)
	steps := []installer.Step{installer.StepConnect, installer.StepProbe, installer.StepStage,
		installer.StepRun, installer.StepVerify, installer.StepClean}
	for _, step := range steps {
		err = errors.Join(err, s.Journal(ctx, inv.Ref(), installer.StepRecord{
			Step: step, Started: t0, Note: "as it should be", Found: installer.Findings{Root: "/var/lib/tripod/runs/x"},
		}))
	}
	return true, errors.Join(err, s.Finish(ctx, inv.Ref(), installer.Transition{
		State: installer.Succeeded, EndAttempt: true, At: t0, Outcome: installer.Outcome{TargetVersion: "2.0"},
	}))
}

// BenchmarkClaimIdle: 10,000 invocations wait for one busy host and
// must not stand in the way of others.
func BenchmarkClaimIdle(b *testing.B) {
	s := newTest(b, Options{})
	hosts := make([]string, 10_000)
	for i := range hosts {
		hosts[i] = "one"
	}
	submit(b, s, batch("B", hosts...))
	require.NotNil(b, claim(b, s, t0, ""))
	require.Nil(b, claim(b, s, t0, "")) // parks the rest
	b.ReportAllocs()
	for b.Loop() {
		if claim(b, s, t0, "") != nil {
			b.Fatal("two on one host")
		}
	}
}

// BenchmarkListPage is a poll of the API among 100,000 invocations. A page tells
// how many match in all, so what it takes depends on the length of the list and
// not on how deep in it the page is.
func BenchmarkListPage(b *testing.B) {
	s := newTest(b, Options{})
	hosts := hostNames(1000)
	for n := range 100 {
		submit(b, s, batch(fmt.Sprintf("B%02d", n), hosts...))
	}
	b.ResetTimer()
	for _, c := range []struct {
		name string
		f    installer.Filter
	}{
		{"id", installer.Filter{InvocationID: "B50-0500"}},
		{"0", installer.Filter{}},
		{"50000", installer.Filter{Offset: 50_000}},
		{"99900", installer.Filter{Offset: 99_900}},
		{"state/0", installer.Filter{State: installer.Pending}},
		{"state/50000", installer.Filter{State: installer.Pending, Offset: 50_000}},
		{"state/99900", installer.Filter{State: installer.Pending, Offset: 99_900}},
		{"nothing", installer.Filter{State: installer.Failed}},
		{"onehost", installer.Filter{InstanceID: "host-000500"}},
	} {
		c.f.ProjectID, c.f.Limit = project, 100
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Invocations(context.Background(), c.f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
