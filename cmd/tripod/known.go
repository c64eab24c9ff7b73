package main

import (
	"context"

	"tripod/installer"
	"tripod/installer/hostsfile"
)

// adoptKnown gives hosts that are known already their ids, types, addresses and
// labels: one that was imported under an id of its own is not to become a second
// one because a file names its address alone.
func (e *engine) adoptKnown(ctx context.Context, entries []hostsfile.Entry) error {
	hosts := make([]installer.Host, len(entries))
	for i := range entries {
		hosts[i] = entries[i].Host
	}
	known, err := e.store.HostsAt(ctx, e.app.project, hosts)
	if err != nil {
		return err
	}
	taken := make(map[string]bool, len(entries))
	for i := range entries {
		taken[entries[i].Host.ID] = true
	}
	for i := range entries {
		h := &entries[i].Host
		if h.ID != installer.InstanceID(e.app.project, h.Address, h.Port) {
			continue // the file gives it one
		}
		if found := known[i]; found != nil && (found.ID == h.ID || !taken[found.ID]) {
			h.KnownAs(*found)
			taken[found.ID] = true
		}
	}
	return nil
}
