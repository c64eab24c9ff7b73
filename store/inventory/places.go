package inventory

import (
	"bytes"
	"context"

	"tripod/installer"
	"tripod/store/kv"
)

// The same address and port are the same host, whichever id it was given: that
// is what the index of places is for. Only where a user gave several hosts with
// one address ids of their own do the installers on the way tell them apart.

func placeKey(project string, h installer.Host) []byte { return kv.Join(project, h.HostPort(), h.ID) }

// HostAt returns the known host that has this address and port, whatever its
// id. ErrNotFound if there is none, or if several have them and none is reached
// through the same installers.
func (s *Inventory) HostAt(ctx context.Context, project string, at installer.Host) (host installer.Host, err error) {
	err = s.View(ctx, func(t *Tx) error {
		k, err := t.hostAt(project, at)
		if err != nil {
			return err
		}
		if k == nil {
			return kv.NotFound("host", at.HostPort())
		}
		host = k.Host
		return nil
	})
	return host, err
}

func (t *Tx) hostAt(project string, at installer.Host) (*knownHost, error) {
	prefix := kv.Join(project, at.HostPort())
	var found []*knownHost
	for key := range t.All(TPlaces, prefix) {
		k, err := t.KnownHost(project, string(bytes.TrimSuffix(key[len(prefix):], []byte{0})))
		if err != nil {
			return nil, err
		}
		if k == nil {
			continue
		}
		if k.Host.SameMachine(at) {
			return k, nil
		}
		found = append(found, k)
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return nil, nil
}
