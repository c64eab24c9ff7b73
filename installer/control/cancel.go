package control

import (
	"context"

	"github.com/sourcegraph/conc/pool"

	"tripod/installer"
)

// canceler is what CancelOpen needs of a store.
type canceler interface {
	Invocations(ctx context.Context, f installer.Filter) (installer.Page, error)
	Cancel(ctx context.Context, project, id string) (bool, error)
}

// CancelOpen cancels the open invocations of a batch, or only one of them, and
// returns the ids of those that were open, in the order of the batch.
func CancelOpen(ctx context.Context, c canceler, project, batchID, only string) ([]string, error) {
	return cancelAll(ctx, c, installer.Filter{ProjectID: project, BatchID: batchID, InvocationID: only})
}

func cancelAll(ctx context.Context, c canceler, f installer.Filter) ([]string, error) {
	page, err := c.Invocations(ctx, f)
	if err != nil {
		return nil, err
	}
	cancels := pool.New().WithErrors().WithMaxGoroutines(cancelsAtOnce)
	wasOpen := make([]bool, len(page.Invocations))
	for i := range page.Invocations {
		if inv := &page.Invocations[i]; !inv.State.Terminal() {
			cancels.Go(func() (err error) {
				wasOpen[i], err = c.Cancel(ctx, f.ProjectID, inv.ID)
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

// cancelsAtOnce go to the store together, which puts them on disk together.
const cancelsAtOnce = 64
