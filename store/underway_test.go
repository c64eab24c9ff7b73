package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// TestOneTaskOfAnInvocationAtATime: a second RETRY or ROLLBACK waits for the
// end of the first.
func TestOneTaskOfAnInvocationAtATime(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	about := func(id string, kind installer.Type, of ...string) installer.Batch {
		b := batch(id)
		for n, one := range of {
			it := item(id, n, "h1")
			it.Invocation.Type, it.Invocation.Of = kind, one
			b.Items = append(b.Items, it)
		}
		return b
	}
	submit(t, s, batch("B1", "h1"))
	finish(t, s, claim(t, s, t0, "B1"), installer.Succeeded)

	require.ErrorIs(t, s.Submit(t.Context(), about("R0", installer.Rollback, "B1-0000", "B1-0000")), installer.ErrUnderWay)
	submit(t, s, about("R1", installer.Rollback, "B1-0000"))
	require.ErrorIs(t, s.Submit(t.Context(), about("R2", installer.Rollback, "B1-0000")), installer.ErrUnderWay, "one is PENDING")
	submit(t, s, about("R3", installer.Rollback, "another")) // of something else on the same host
	submit(t, s, about("R4", installer.Retry, "B1-0000"))    // something else of the same
	inv := claim(t, s, t0, "R1")
	require.ErrorIs(t, s.Submit(t.Context(), about("R5", installer.Rollback, "B1-0000")), installer.ErrUnderWay, "one is RUNNING")
	finish(t, s, inv, installer.Failed)
	submit(t, s, about("R6", installer.Rollback, "B1-0000"))
	_, err := s.Batch(t.Context(), project, "R5")
	require.ErrorIs(t, err, installer.ErrNotFound)
}
