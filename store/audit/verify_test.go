package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/storetest"
)

// TestC14Tampering: whoever can write to the database, but has not the master
// key, cannot change the log unnoticed.
func TestC14Tampering(t *testing.T) {
	t.Parallel()
	row := func(n uint64) []byte { return kv.Number(n) }
	edit := func(b *bbolt.Bucket, n uint64, change func(*hashedRow)) error {
		var stored hashedRow
		if _, err := kv.ReadRow(b.Get(row(n)), &stored); err != nil {
			return err
		}
		change(&stored)
		made, err := kv.NewRow(stored)
		if err != nil {
			return err
		}
		return b.Put(row(n), kv.SealRow(made, n))
	}
	for name, c := range map[string]struct {
		change func(b *bbolt.Tx, log *bbolt.Bucket) error
		want   string
	}{
		"altered": {func(_ *bbolt.Tx, log *bbolt.Bucket) error {
			return edit(log, 3, func(s *hashedRow) { s.Entry = bytes.Replace(s.Entry, []byte("token ci"), []byte("token xx"), 1) })
		}, "entry 3 was altered"},
		"altered with a new hash": {func(_ *bbolt.Tx, log *bbolt.Bucket) error {
			return edit(log, 3, func(s *hashedRow) { s.Entry = json.RawMessage(`{"number":3}`); s.Hash = strings.Repeat("0", 64) })
		}, "entry 3 was altered"},
		"removed":       {func(_ *bbolt.Tx, log *bbolt.Bucket) error { return log.Delete(row(3)) }, "entry 3 is missing"},
		"several":       {func(_ *bbolt.Tx, log *bbolt.Bucket) error { return cmp.Or(log.Delete(row(3)), log.Delete(row(4))) }, "entries 3 to 4 are missing"},
		"first removed": {func(_ *bbolt.Tx, log *bbolt.Bucket) error { return log.Delete(row(1)) }, "entry 1 is missing"},
		"last cut off":  {func(_ *bbolt.Tx, log *bbolt.Bucket) error { return log.Delete(row(6)) }, "entry 6 is missing"},
		"all cut off":   {func(_ *bbolt.Tx, log *bbolt.Bucket) error { return empty(log) }, "entries 1 to 6 are missing"},
		"put in at end": {func(_ *bbolt.Tx, log *bbolt.Bucket) error { return log.Put(row(7), bytes.Clone(log.Get(row(6)))) }, "after 6"},
		"put in before": {func(_ *bbolt.Tx, log *bbolt.Bucket) error { return log.Put(row(0), bytes.Clone(log.Get(row(6)))) }, "before 1"},
		"two exchanged": {func(_ *bbolt.Tx, log *bbolt.Bucket) error {
			a, b := bytes.Clone(log.Get(row(2))), bytes.Clone(log.Get(row(3)))
			return cmp.Or(log.Put(row(2), b), log.Put(row(3), a))
		}, "entry 3 stands where 2 should"},
		"head altered": {func(b *bbolt.Tx, _ *bbolt.Bucket) error {
			head := bytes.Clone(b.Bucket([]byte(tHead.Name)).Get(headKey))
			head[15]--
			return b.Bucket([]byte(tHead.Name)).Put(headKey, head)
		}, "the end of the log is missing or altered"},
		"cut off, and no head": {func(b *bbolt.Tx, log *bbolt.Bucket) error {
			return cmp.Or(log.Delete(row(6)), b.Bucket([]byte(tHead.Name)).Delete(headKey))
		}, "the end of the log is missing or altered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := storetest.Dir(t)
			l := openTest(t, dir, epoch)
			for range 6 {
				note(t, l, installer.AuditEntry{Action: installer.AuditRequest, By: "token ci"})
			}
			inOrder(t, l)
			require.NoError(t, l.db.Close())
			db, err := bbolt.Open(storetest.Database(dir), 0o600, nil)
			require.NoError(t, err)
			require.NoError(t, db.Update(func(b *bbolt.Tx) error { return c.change(b, b.Bucket([]byte(tEntries.Name))) }))
			require.NoError(t, db.Close())

			l = openTest(t, dir, epoch)
			report, err := l.VerifyAudit(t.Context())
			require.NoError(t, err)
			require.NotEmpty(t, report.Faults)
			assert.Contains(t, strings.Join(report.Faults, "\n"), c.want)
			// Work goes on, and does not cover it up.
			note(t, l, installer.AuditEntry{Action: installer.AuditRequest})
			report, err = l.VerifyAudit(t.Context())
			require.NoError(t, err)
			assert.NotEmpty(t, report.Faults, "a later entry has covered it up")
		})
	}
}

// TestC14OlderCopy: that the whole database was put back can be told by an
// anchor from elsewhere only.
func TestC14OlderCopy(t *testing.T) {
	t.Parallel()
	dir := storetest.Dir(t)
	l := openTest(t, dir, epoch)
	note(t, l, installer.AuditEntry{Action: installer.AuditRequest, Batch: "B1"})
	require.NoError(t, l.db.Close())
	older, err := os.ReadFile(storetest.Database(dir))
	require.NoError(t, err)
	l = openTest(t, dir, epoch)
	note(t, l, installer.AuditEntry{Action: installer.AuditRequest, Batch: "B2"})
	anchor, err := l.AuditAnchor(t.Context())
	require.NoError(t, err)
	require.Equal(t, anchor, inOrder(t, l, anchor).Anchor)
	require.NoError(t, l.db.Close())

	require.NoError(t, os.WriteFile(storetest.Database(dir), older, 0o600))
	l = openTest(t, dir, epoch)
	inOrder(t, l)
	report, err := l.VerifyAudit(t.Context(), anchor)
	require.NoError(t, err)
	require.Contains(t, strings.Join(report.Faults, "\n"), "before the anchor 2")
	note(t, l, installer.AuditEntry{Action: installer.AuditRequest, Batch: "B3"}) // another second entry
	report, err = l.VerifyAudit(t.Context(), anchor)
	require.NoError(t, err)
	require.Contains(t, strings.Join(report.Faults, "\n"), "entry 2 is not the one of the anchor")
}

func empty(log *bbolt.Bucket) error {
	c := log.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}
