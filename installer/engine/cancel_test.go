package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/engine"
)

// lateQueue does something when an invocation is claimed and nobody knows it yet.
type lateQueue struct {
	*memoryQueue
	claimed func(id string)
}

func (q lateQueue) Claim(ctx context.Context, now time.Time, f installer.ClaimFilter) (*installer.Invocation, time.Time, error) {
	inv, due, err := q.memoryQueue.Claim(ctx, now, f)
	if inv != nil {
		q.claimed(inv.ID)
	}
	return inv, due, err
}

// TestCancelWhileItIsClaimed: it comes too late to be seen by the claim, and before
// a worker has begun.
func TestCancelWhileItIsClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d *engine.Dispatcher
		q := lateQueue{newQueue("a", "b"), func(id string) {
			if id == "inv-0" {
				d.Cancel(id)
			}
		}}
		d = engine.New(engine.Config{Queue: q, StopWhenIdle: true, Worker: worker(func(ctx context.Context, _ *installer.Job) (installer.Outcome, error) {
			select {
			case <-ctx.Done():
				return installer.Outcome{}, installer.Fail(installer.KindCanceled, "%w", context.Cause(ctx))
			case <-time.After(time.Minute):
				return installer.Outcome{}, nil
			}
		})})
		require.NoError(t, d.Run(t.Context()))
		assert.Equal(t, installer.Canceled, q.all[0].State)
		assert.Equal(t, installer.Succeeded, q.all[1].State)
	})
}
