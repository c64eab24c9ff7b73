package inventory

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"tripod/installer"
	"tripod/store/kv"
)

// PinnedKeys implements sshdial.HostKeys.
func (s *Inventory) PinnedKeys(ctx context.Context, project, hostPort string) ([]string, error) {
	var keys []string
	prefix := kv.Join(project, hostPort)
	err := s.View(ctx, func(t *Tx) error {
		for k := range t.All(TPins, prefix) {
			keys = append(keys, string(bytes.TrimSuffix(k[len(prefix):], []byte{0})))
		}
		return nil
	})
	return keys, err
}

// longestHostPort bounds a host name and a port, in bytes.
const longestHostPort = 512

// PinKey implements sshdial.HostKeys. A key that is pinned already costs no
// write.
func (s *Inventory) PinKey(ctx context.Context, project, hostPort, key string) error {
	if err := errors.Join(kv.CheckProject(project), kv.CheckPart("host and port", hostPort, longestHostPort), kv.CheckPart("host key", key, 16<<10)); err != nil {
		return err
	}
	at := binary.BigEndian.AppendUint64(nil, kv.Micros(s.Clock()))
	return s.Update(ctx, func(t *Tx) error {
		if k := kv.Join(project, hostPort, key); t.Get(TPins, k) == nil {
			t.Put(TPins, k, at)
		}
		return nil
	})
}

// ForgetKeys removes the pins and reports how many there were.
func (s *Inventory) ForgetKeys(ctx context.Context, project, hostPort string) (int, error) {
	var n int
	now := s.Clock()
	err := s.Update(ctx, func(t *Tx) error {
		var keys [][]byte
		for k := range t.All(TPins, kv.Join(project, hostPort)) {
			keys = append(keys, bytes.Clone(k))
		}
		for _, k := range keys {
			t.Del(TPins, k)
		}
		if n = len(keys); n == 0 {
			return nil
		}
		return s.note(ctx, t, now, installer.AuditEntry{Project: project, Action: installer.AuditHostKey, Subject: hostPort})
	})
	return n, err
}
