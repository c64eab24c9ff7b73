package limits

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestC13EveryProjectHasRoom: however many took what they could get, there is some for the
// next one; and all of it comes back.
func TestC13EveryProjectHasRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := NewBudget().Small
		all := q.free
		var loans []*Loan
		for _, project := range []string{"p1", "p2", "p3", "p4"} {
			n := len(loans)
			for {
				l, err := q.Borrow(t.Context(), project, SmallBody)
				if err != nil {
					require.ErrorIs(t, err, ErrNoRoom)
					break
				}
				loans = append(loans, l)
			}
			require.Greater(t, len(loans), n, project)
		}
		l, err := q.Borrow(t.Context(), "p5", 300)
		require.NoError(t, err)
		l.Resize(all) // an answer that is larger
		l.Resize(300)
		for _, l := range append(loans, l) {
			l.Close()
			l.Close()
		}
		require.Zero(t, q.Lent())
		require.Equal(t, all, q.free)
	})
}

// TestC13WaitingHoldsUpNoOtherProject: who waits for much is passed by others, not by its
// own project.
func TestC13WaitingHoldsUpNoOtherProject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := NewQuota(100)
		first, err := q.Borrow(t.Context(), "p1", 40)
		require.NoError(t, err)
		order := make(chan string, 3)
		borrow := func(ctx context.Context, name, project string, n int64) {
			go func() {
				_, err := q.Borrow(ctx, project, n)
				if err != nil {
					name = err.Error()
				}
				order <- name
			}()
			synctest.Wait()
		}
		gone, leave := context.WithCancel(t.Context())
		borrow(gone, "gone", "p2", 50)
		borrow(t.Context(), "large", "p2", 45)
		borrow(t.Context(), "small", "p2", 1)
		borrow(t.Context(), "other", "p3", 1)
		require.Equal(t, "other", <-order)
		require.Empty(t, order)
		leave()
		require.Equal(t, context.Canceled.Error(), <-order)
		first.Close()
		synctest.Wait()
		require.ElementsMatch(t, []string{"large", "small"}, []string{<-order, <-order})

		began := time.Now()
		_, err = q.Borrow(t.Context(), "p2", 50)
		require.True(t, errors.Is(err, ErrNoRoom) && time.Since(began) == BudgetWait)
	})
}
