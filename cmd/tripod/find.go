package main

import (
	"context"
	"errors"
	"fmt"

	"tripod/installer"
	"tripod/installer/control"
)

// findInvocation finds what a user means: an invocation's id, or the address
// or name of a host in the newest batch that has it.
func findInvocation(ctx context.Context, l *control.Client, what string) (installer.Invocation, error) {
	inv, err := l.Invocation(ctx, l.Project(), what)
	if err == nil || !errors.Is(err, installer.ErrNotFound) {
		return inv, err
	}
	const newest = 20
	heads, err := l.Batches(ctx, l.Project(), newest)
	if err != nil {
		return inv, err
	}
	for _, head := range heads {
		invs, err := batchInvocations(ctx, l, head.ID)
		if err != nil {
			return inv, err
		}
		found := matching(invs, what)
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return inv, usageError(fmt.Errorf("%d hosts of batch %s are called %q", len(found), head.ID, what),
				"give the port too, or the invocation id from `tripod status "+head.ID+"`")
		}
	}
	return inv, usageError(fmt.Errorf("no invocation and no host of the newest batches is called %q", what), "see `tripod status`")
}

func matching(invs []installer.Invocation, what string) []installer.Invocation {
	var found []installer.Invocation
	for _, inv := range invs {
		h := inv.Host
		if what == h.Address || what == h.HostPort() || what == h.Name || what == h.ID {
			found = append(found, inv)
		}
	}
	return found
}
