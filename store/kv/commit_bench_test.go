package kv

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

var benchTable = []byte("table")

// cpuTime is what this process has used so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSharedCommit compares the committer with bbolt's own DB.Batch: many
// workers that store small changes one after the other, and one alone.
func BenchmarkSharedCommit(b *testing.B) {
	row := make([]byte, 600)
	change := func(t *bbolt.Tx, n int64) error {
		table := t.Bucket(benchTable)
		for i := range 4 {
			key := binary.BigEndian.AppendUint64([]byte{byte(i)}, uint64(n))
			if err := table.Put(key, row); err != nil {
				return err
			}
		}
		return nil
	}
	for _, workers := range []int{1, 8, 32, 128} {
		type route struct {
			name   string
			update func(db *bbolt.DB, c *committer, n int64) error
			delay  time.Duration
		}
		committed := func(_ *bbolt.DB, c *committer, n int64) error {
			return c.do(context.Background(), func(t *Tx) error {
				t.changes++
				return change(t.b, n)
			})
		}
		batched := func(db *bbolt.DB, _ *committer, n int64) error {
			return db.Batch(func(t *bbolt.Tx) error { return change(t, n) })
		}
		for _, w := range []route{
			{"committer", committed, 0},
			{"Batch-0", batched, 0}, // shares little: a group is closed before it waits for the disk
			{"Batch-1ms", batched, time.Millisecond},
		} {
			b.Run(fmt.Sprintf("%s/%d", w.name, workers), func(b *testing.B) {
				db, err := bbolt.Open(filepath.Join(b.TempDir(), "db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
				require.NoError(b, err)
				defer func() { _ = db.Close() }()
				db.MaxBatchDelay = w.delay
				require.NoError(b, db.Update(func(t *bbolt.Tx) error { _, err := t.CreateBucket(benchTable); return err }))
				c := &committer{db: db, linger: defaultLinger}
				c.writers.Store(int64(workers))
				var next atomic.Int64
				var wg sync.WaitGroup
				before := cpuTime(b)
				b.ResetTimer()
				for range workers {
					wg.Go(func() {
						for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
							if err := w.update(db, c, n); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
	}
}
