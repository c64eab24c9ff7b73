package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"tripod/installer"
)

// PinnedKeys implements installer.HostKeys.
func (s *Store) PinnedKeys(ctx context.Context, project, hostPort string) ([]string, error) {
	var keys []string
	prefix := join(project, hostPort)
	err := s.view(ctx, func(t *tx) error {
		for k := range t.all(bPins, prefix) {
			keys = append(keys, string(bytes.TrimSuffix(k[len(prefix):], []byte{0})))
		}
		return nil
	})
	return keys, err
}

// longestHostPort bounds a host name and a port, in bytes.
const longestHostPort = 512

// PinKey implements installer.HostKeys. A key that is pinned already costs no
// write.
func (s *Store) PinKey(ctx context.Context, project, hostPort, key string) error {
	if err := errors.Join(checkProject(project), checkPart("host and port", hostPort, longestHostPort), checkPart("host key", key, 16<<10)); err != nil {
		return err
	}
	at := binary.BigEndian.AppendUint64(nil, micros(s.o.Clock()))
	return s.update(ctx, func(t *tx) error {
		if k := join(project, hostPort, key); t.get(bPins, k) == nil {
			t.put(bPins, k, at)
		}
		return nil
	})
}

// ForgetKeys implements installer.HostKeys.
func (s *Store) ForgetKeys(ctx context.Context, project, hostPort string) (int, error) {
	var n int
	now := s.o.Clock()
	err := s.update(ctx, func(t *tx) error {
		var keys [][]byte
		for k := range t.all(bPins, join(project, hostPort)) {
			keys = append(keys, bytes.Clone(k))
		}
		for _, k := range keys {
			t.del(bPins, k)
		}
		if n = len(keys); n == 0 {
			return nil
		}
		return s.audit(ctx, t, now, installer.AuditEntry{Project: project, Action: installer.AuditHostKey, Subject: hostPort})
	})
	return n, err
}

var _ installer.HostKeys = (*Store)(nil)
