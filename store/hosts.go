package store

import (
	"context"

	"tripod/installer"
)

// knownHost is a registered host, and where its newest credentials are.
type knownHost struct {
	Host installer.Host `json:"host"`
	// Epoch and Invocation name the sealed row; empty: none were ever given.
	Epoch      string `json:"epoch,omitempty"`
	Invocation string `json:"invocation,omitempty"`
}

func (t *tx) knownHost(project, id string) (*knownHost, error) {
	row := t.get(bHosts, join(project, id))
	if row == nil {
		return nil, nil
	}
	k := &knownHost{}
	_, err := readRow(row, k)
	return k, err
}

// registerHost remembers the host of a new invocation, and its credentials if
// it came with some.
func (t *tx) registerHost(r *record, sealed []byte) error {
	k, err := t.knownHost(r.ProjectID, r.Host.ID)
	if err != nil {
		return err
	}
	if k == nil {
		k = &knownHost{}
	}
	k.Host = r.Host
	if sealed != nil {
		k.Epoch, k.Invocation = r.BatchID, r.ID
		t.put(bSealed, join(k.Epoch, k.Invocation), sealed)
	}
	t.putRow(bHosts, r.hostKey(), r.seq, k)
	return nil
}

// KnownHost implements installer.Ledger.
func (s *Store) KnownHost(ctx context.Context, project, instanceID string) (host installer.Host, err error) {
	err = s.view(ctx, func(t *tx) error {
		k, err := t.knownHost(project, instanceID)
		if err != nil {
			return err
		}
		if k == nil {
			return notFound("host", instanceID)
		}
		host = k.Host
		return nil
	})
	return host, err
}

// Hosts returns a project's registered hosts in the order of their ids.
func (s *Store) Hosts(ctx context.Context, project string) ([]installer.Host, error) {
	var hosts []installer.Host
	err := s.view(ctx, func(t *tx) error {
		for _, row := range t.all(bHosts, join(project)) {
			var k knownHost
			if _, err := readRow(row, &k); err != nil {
				return err
			}
			hosts = append(hosts, k.Host)
		}
		return nil
	})
	return hosts, err
}
