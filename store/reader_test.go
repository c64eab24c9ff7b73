package store

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/inventory"
)

// TestA08LongReaders: whoever reads the whole of a large list, over and over,
// does not keep the database from using its pages again. bbolt can free
// nothing while a reader has an old state, so each of ours is short.
func TestA08LongReaders(t *testing.T) {
	alone, beside := grown(t, 0), grown(t, 2)
	t.Logf("%d bytes were in use without readers, %d beside them", alone, beside)
	assert.Less(t, beside, 2*alone)
}

// grown is how far into the file the database has come, in bytes, after a lot of
// work beside so many readers. The file itself grows by doubling.
func grown(t *testing.T, readers int) int64 {
	t.Helper()
	s := newTest(t, Options{})
	names := hostNames(pageChunk + 50) // a list is read in two transactions
	submit(t, s, batch("B", names...))
	stop := make(chan struct{})
	var reading sync.WaitGroup
	for range readers {
		reading.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				page, err := s.Invocations(t.Context(), installer.Filter{ProjectID: project})
				assert.NoError(t, err)
				assert.Len(t, page.Invocations, len(names))
			}
		})
	}
	for range names {
		inv := claim(t, s, t0, "")
		require.NotNil(t, inv)
		require.NoError(t, s.Journal(t.Context(), inv.Ref(), installer.StepRecord{Step: installer.StepRun, Note: "done"}))
		finish(t, s, inv, installer.Succeeded)
	}
	close(stop)
	reading.Wait()
	var size int64
	require.NoError(t, s.View(t.Context(), func(t *inventory.Tx) error {
		size = t.Size()
		return nil
	}))
	return size
}
