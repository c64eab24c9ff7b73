package limits

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestC13SmallBodiesHaveTheirShare: of one project as many as fit, and others go on.
func TestC13SmallBodiesHaveTheirShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget()
		var loans []*Loan
		for range 16 << 20 / SmallBody {
			l, err := b.Borrow(t.Context(), "p1", SmallBody)
			require.NoError(t, err)
			loans = append(loans, l)
		}
		_, err := b.Borrow(t.Context(), "p1", 1)
		require.ErrorIs(t, err, ErrNoRoom)
		l, err := b.Borrow(t.Context(), "p2", SmallBody)
		require.NoError(t, err)
		for _, l := range append(loans, l) {
			l.Close()
		}
		require.Zero(t, b.Small.Owners())
		require.True(t, b.Small.all.TryAcquire(48<<20), "all of it is back")
	})
}
