package audit

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func epoch() time.Time { return t0 }

var key = []byte("the key of the hashes")

func openTest(t *testing.T, dir string, clock func() time.Time) *Trail {
	t.Helper()
	room := storetest.Room(t, dir, clock, Tables, func(tx *kv.Tx) { Begin(tx, key) })
	t.Cleanup(func() { assert.NoError(t, room.DB.Close()) })
	return New(room.DB, key, clock)
}

func note(t *testing.T, l *Trail, entries ...installer.AuditEntry) {
	t.Helper()
	require.NoError(t, l.db.Update(t.Context(), func(tx *kv.Tx) error { return l.Append(t.Context(), tx, t0, entries...) }))
}

func inOrder(t *testing.T, l *Trail, anchors ...installer.AuditAnchor) installer.AuditReport {
	t.Helper()
	report, err := l.VerifyAudit(t.Context(), anchors...)
	require.NoError(t, err)
	require.Empty(t, report.Faults)
	return report
}

func TestAuditPrune(t *testing.T) {
	t.Parallel()
	now := t0
	l := openTest(t, storetest.Dir(t), func() time.Time { return now })
	require.NoError(t, l.db.Update(t.Context(), func(tx *kv.Tx) error {
		var err error
		for i := range 2*chunkSize + 10 {
			at := t0.Add(time.Duration(i) * time.Second)
			err = errors.Join(err, l.Append(t.Context(), tx, at, installer.AuditEntry{Action: installer.AuditRequest}))
		}
		return err
	}))
	old, err := l.AuditAnchor(t.Context())
	require.NoError(t, err)
	n, err := l.PruneAudit(t.Context(), t0)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = l.PruneAudit(t.Context(), t0.Add((2*chunkSize+5)*time.Second))
	require.NoError(t, err)
	require.Equal(t, 2*chunkSize+5, n)
	report := inOrder(t, l, old)
	assert.EqualValues(t, 2*chunkSize+6, report.First)
	assert.EqualValues(t, 2*chunkSize+13, report.Last)
	entries, err := l.Audit(t.Context(), installer.AuditFilter{})
	require.NoError(t, err)
	require.Len(t, entries, 8)
	for i, dropped := range []string{"1000", "1000", "5"} { // each noted with what it dropped
		assert.Equal(t, installer.AuditPrune, entries[5+i].Action)
		assert.Contains(t, entries[5+i].Detail, dropped+" entries")
	}
	_, err = l.VerifyAudit(t.Context(), installer.AuditAnchor{Number: 3, Hash: old.Hash})
	require.ErrorContains(t, err, "were pruned")

	// All of it: the chain goes on from where it was.
	now = t0.Add(365 * 24 * time.Hour)
	n, err = l.PruneAudit(t.Context(), now)
	require.NoError(t, err)
	require.Equal(t, 8, n)
	note(t, l, installer.AuditEntry{Action: installer.AuditRequest})
	assert.EqualValues(t, 2*chunkSize+14, inOrder(t, l).First)
}
