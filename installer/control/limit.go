package control

import (
	"context"
	"log/slog"

	"github.com/sourcegraph/conc/pool"

	"tripod/installer"
)

// Limiter returns a Watch that keeps to the batches' MaxFailures: once so many
// have ended without success, those that wait are canceled. It asks the store
// alone, and so holds after a restart too.
func Limiter(store installer.Ledger, log *slog.Logger) func(installer.Event) {
	return func(e installer.Event) {
		t := e.End
		if t == nil || !t.State.Terminal() || t.State == installer.Succeeded || t.State == installer.Canceled {
			return
		}
		ctx := context.Background()
		head, err := store.Batch(ctx, e.Project, e.Batch)
		if err == nil && LimitReached(head) && head.Open > 0 {
			_, err = cancelOpen(ctx, store, installer.Filter{ProjectID: e.Project, BatchID: e.Batch, State: installer.Pending})
		}
		if err != nil {
			log.Error("batch not stopped at its limit of failures", "batch", e.Batch, "error", err)
		}
	}
}

// LimitReached reports whether a batch has had as many failures as it may.
func LimitReached(head installer.BatchHead) bool {
	return head.MaxFailures > 0 && head.ByState[installer.Failed]+head.ByState[installer.Timeout] >= head.MaxFailures
}

// cancelsAtOnce go to the store together, which puts them on disk together.
const cancelsAtOnce = 64

// cancelOpen cancels the open ones of the invocations, and returns the ids of those that
// were open, in the order of their batch.
func cancelOpen(ctx context.Context, store installer.Ledger, f installer.Filter) ([]string, error) {
	page, err := store.Invocations(ctx, f)
	if err != nil {
		return nil, err
	}
	cancels := pool.New().WithErrors().WithMaxGoroutines(cancelsAtOnce)
	wasOpen := make([]bool, len(page.Invocations))
	for i := range page.Invocations {
		if inv := &page.Invocations[i]; !inv.State.Terminal() {
			cancels.Go(func() (err error) {
				wasOpen[i], err = store.Cancel(ctx, f.ProjectID, inv.ID)
				return err
			})
		}
	}
	err = cancels.Wait()
	var asked []string
	for i := len(page.Invocations) - 1; i >= 0; i-- { // they come newest first
		if wasOpen[i] {
			asked = append(asked, page.Invocations[i].ID)
		}
	}
	return asked, err
}
