package main

import (
	"cmp"
	"context"

	"tripod/installer"
	"tripod/installer/control"
)

// adoptKnown gives hosts that are known already their ids, types, addresses and
// labels: one that was imported under an id of its own is not to become a second
// one because a file names its address alone. A host key that the user gave of the
// host at an address holds whatever the file calls that host.
func adoptKnown(ctx context.Context, from *control.Client, project string, entries []installer.HostEntry) error {
	hosts := make([]installer.Host, len(entries))
	for i := range entries {
		hosts[i] = entries[i].Host
	}
	known, err := from.HostsAt(ctx, project, hosts)
	if err != nil {
		return err
	}
	taken := make(map[string]bool, len(entries))
	for i := range entries {
		taken[entries[i].Host.ID] = true
	}
	for i := range entries {
		h, found := &entries[i].Host, known[i]
		if found == nil {
			continue
		}
		h.HostKey = cmp.Or(h.HostKey, found.HostKey)
		if h.ID != installer.InstanceID(project, h.Address, h.Port) {
			continue // the file gives it one
		}
		if found.ID == h.ID || !taken[found.ID] {
			h.KnownAs(*found)
			taken[found.ID] = true
		}
	}
	return nil
}
