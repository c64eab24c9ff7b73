package control

import (
	"context"
	"errors"

	"tripod/installer"
)

// Submission is a batch on its way to a store. Its invocations have their ids
// already, so that it can be sent again when the answer was lost.
type Submission struct {
	installer.Batch
	// Inherit names, by the id of an invocation of the batch, the invocation
	// whose kept credentials it takes. So none leaves the store that keeps them.
	Inherit map[string]string
}

// keeper is what Resolve needs of a store.
type keeper interface {
	Invocation(ctx context.Context, project, id string) (installer.Invocation, error)
	Credentials(ctx context.Context, inv *installer.Invocation) (installer.Credentials, error)
}

// Resolve fills in the inherited credentials. The error is MissingCredentials
// with every host of which none are kept any more.
func (s *Submission) Resolve(ctx context.Context, k keeper) error {
	var missing MissingCredentials
	for i := range s.Items {
		item := &s.Items[i]
		of, inherits := s.Inherit[item.Invocation.ID]
		if !inherits {
			continue
		}
		old, err := k.Invocation(ctx, s.ProjectID, of)
		if err != nil {
			return err
		}
		if old.Host.ID != item.Invocation.Host.ID || old.Host.Endpoint != item.Invocation.Host.Endpoint {
			return installer.Faults{{Where: item.Invocation.ID, What: "takes the credentials of another host's invocation"}}
		}
		creds, err := k.Credentials(ctx, &old)
		if f, ok := errors.AsType[*installer.Failure](err); ok && f.Kind == installer.KindCredentialMissing {
			missing.Faults.Add(old.Host.Label(), "its password or key is no longer kept")
			continue
		}
		if err != nil {
			return err
		}
		item.Credentials = creds
	}
	if len(missing.Faults) > 0 {
		return &missing
	}
	return nil
}

// MissingCredentials are the hosts whose credentials are no longer kept.
type MissingCredentials struct{ Faults installer.Faults }

func (m *MissingCredentials) Error() string { return m.Faults.Error() }

// Unwrap makes it Faults.
func (m *MissingCredentials) Unwrap() error { return m.Faults }

// canceler is what CancelOpen needs of a store.
type canceler interface {
	Invocations(ctx context.Context, f installer.Filter) (installer.Page, error)
	Cancel(ctx context.Context, project, id string) (bool, error)
}

// CancelOpen cancels the open invocations of a batch, or only one of them, and
// returns the ids of those that were open, in the order of the batch.
func CancelOpen(ctx context.Context, c canceler, project, batchID, only string) ([]string, error) {
	page, err := c.Invocations(ctx, installer.Filter{ProjectID: project, BatchID: batchID, InvocationID: only})
	if err != nil {
		return nil, err
	}
	var asked []string
	for i := len(page.Invocations) - 1; i >= 0; i-- { // they come newest first
		inv := &page.Invocations[i]
		if inv.State.Terminal() {
			continue
		}
		open, err := c.Cancel(ctx, project, inv.ID)
		if err != nil {
			return asked, err
		}
		if open {
			asked = append(asked, inv.ID)
		}
	}
	return asked, nil
}
