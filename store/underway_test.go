package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// TestOneTaskAboutAnOriginal: a second RETRY or ROLLBACK waits for the end of the
// first, whichever of the two they are and by whichever id the original is named.
func TestOneTaskAboutAnOriginal(t *testing.T) {
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
	refused := func(why string, b installer.Batch) {
		t.Helper()
		require.ErrorIs(t, s.Submit(t.Context(), b), installer.ErrUnderWay, why)
		_, err := s.Batch(t.Context(), project, b.ID)
		require.ErrorIs(t, err, installer.ErrNotFound)
	}
	submit(t, s, batch("B1", "h1"))
	finish(t, s, claim(t, s, t0, "B1"), installer.Failed)
	refused("one request names it twice", about("R0", installer.Retry, "B1-0000", "B1-0000"))

	submit(t, s, about("R1", installer.Retry, "B1-0000"))
	submit(t, s, about("R2", installer.Rollback, "another")) // of something else on the same host
	refused("one is PENDING", about("R3", installer.Retry, "B1-0000"))
	inv := claim(t, s, t0, "R1")
	refused("one is RUNNING", about("R4", installer.Rollback, "B1-0000"))
	finish(t, s, inv, installer.Failed)

	refused("it and the RETRY of it", about("R5", installer.Retry, "B1-0000", "R1-0000"))
	submit(t, s, about("R6", installer.Retry, "R1-0000"))
	refused("a RETRY of its RETRY", about("R7", installer.Retry, "B1-0000"))
	finish(t, s, claim(t, s, t0, "R6"), installer.Succeeded)

	submit(t, s, about("R8", installer.Rollback, "R6-0000"))
	refused("a ROLLBACK of its RETRY", about("R9", installer.Rollback, "B1-0000"))
	finish(t, s, claim(t, s, t0, "R8"), installer.Failed)
	submit(t, s, about("R10", installer.Retry, "R8-0000"))
	refused("a RETRY of the ROLLBACK of its RETRY", about("R11", installer.Rollback, "R6-0000"))
}
