package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/sourcegraph/conc/pool"

	"tripod/installer"
)

// Submission is a batch on its way to a store. Its invocations have their ids
// already, so that it can be sent again when the answer was lost.
type Submission struct {
	installer.Batch
	// Inherit names, by the id of an invocation of the batch, the invocation
	// whose kept credentials it takes, or KeptForHost. So none leaves the store
	// that keeps them.
	Inherit map[string]string
}

// KeptForHost inherits what is kept for the known host itself.
const KeptForHost = "known-host"

// keeper is what Resolve needs of a store.
type keeper interface {
	Invocation(ctx context.Context, project, id string) (installer.Invocation, error)
	Credentials(ctx context.Context, inv *installer.Invocation) (installer.Credentials, error)
	KnownHost(ctx context.Context, project, instanceID string) (installer.Host, error)
	HostCredentials(ctx context.Context, project string, to installer.Host) (installer.Credentials, error)
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
		creds, err := s.inherited(ctx, k, of, &item.Invocation)
		if f, ok := errors.AsType[*installer.Failure](err); ok && f.Kind == installer.KindCredentialMissing {
			missing.Faults.Add(item.Invocation.Host.Label(), "its password or key is no longer kept")
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

// inherited opens credentials for the host that they are of, and no other one; nor
// for one whose host key is looked at with less care than that of the invocation
// that they came with.
func (s *Submission) inherited(ctx context.Context, k keeper, of string, inv *installer.Invocation) (installer.Credentials, error) {
	host := inv.Host
	if of == KeptForHost {
		known, err := k.KnownHost(ctx, s.ProjectID, host.ID)
		if err != nil {
			return installer.Credentials{}, err
		}
		if !known.SameWay(host) {
			return installer.Credentials{}, installer.Faults{{Where: host.ID, What: "is reached in another way than the one that its login is kept for"}}
		}
		return k.HostCredentials(ctx, s.ProjectID, host)
	}
	old, err := k.Invocation(ctx, s.ProjectID, of)
	if err != nil {
		return installer.Credentials{}, err
	}
	if old.Host.ID != host.ID || !old.Host.SameWay(host) {
		return installer.Credentials{}, installer.Faults{{Where: host.ID, What: "takes the credentials of another host's invocation"}}
	}
	if inv.Spec.HostKeys.WeakerThan(old.Spec.HostKeys) {
		return installer.Credentials{}, installer.Faults{{Where: host.ID, What: fmt.Sprintf(
			"takes a login that was given with host keys %s, and asks for the weaker %s: give the login anew", old.Spec.HostKeys, inv.Spec.HostKeys)}}
	}
	return k.Credentials(ctx, &old)
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
