package access

import (
	"context"
	"encoding/binary"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
	"tripod/store/vault"
)

var t0 = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func openTest(t *testing.T, dir string, clock func() time.Time) (a *Access, close func()) {
	t.Helper()
	path := filepath.Join(dir, "db")
	if there, err := disk.Exists(path); err != nil || !there {
		require.NoError(t, err)
		require.NoError(t, kv.Create(path, Tables, func(*kv.Tx) error { return nil }))
	}
	db, err := kv.Open(path, Tables, false)
	require.NoError(t, err)
	v, err := vault.Open(dir, vault.Options{First: true})
	require.NoError(t, err)
	note := func(context.Context, *kv.Tx, time.Time, ...installer.AuditEntry) error { return nil }
	a, err = New(t.Context(), kv.Room{DB: db, Clock: clock, Logger: slog.New(slog.DiscardHandler), Note: note}, v)
	require.NoError(t, err)
	return a, func() {
		a.Close()
		require.NoError(t, db.Close())
		require.NoError(t, v.Close())
	}
}

// fill remembers as many signatures as by may have, all different by tag.
func fill(t *testing.T, g *seen, tag byte, by signer, now, expires time.Time) (n int) {
	t.Helper()
	for ; ; n++ {
		var signature [32]byte
		signature[31] = tag
		binary.BigEndian.PutUint64(signature[:], uint64(n))
		if err := g.add(signature, by, expires, now); err != nil {
			require.ErrorIs(t, err, installer.ErrFull)
			return n
		}
	}
}

// TestNobodyFillsTheMemoryOfSignatures: neither a key nor all the keys of a
// project together; what has expired is room again.
func TestNobodyFillsTheMemoryOfSignatures(t *testing.T) {
	t.Parallel()
	expires := t0.Add(15 * time.Minute)
	g := &seen{most: 1200}
	require.Equal(t, 400, fill(t, g, 1, signer{"p1", "a"}, t0, expires), "a third for the first key")
	all := 400
	for tag := byte(2); tag < 40; tag++ { // keys cost nothing
		all += fill(t, g, tag, signer{"p1", string('a' + rune(tag))}, t0, expires)
	}
	require.LessOrEqual(t, all, 600, "half for the first project")
	second := fill(t, g, 50, signer{"p2", "x"}, t0, expires)
	require.Greater(t, second, 150, "another project goes on")
	require.Positive(t, fill(t, g, 51, signer{"p2", "y"}, t0, expires), "and each of its keys")
	require.Positive(t, fill(t, g, 52, signer{"p3", "z"}, t0, expires))
	require.Less(t, len(g.all), 1200)

	later := expires.Add(time.Second)
	require.Equal(t, 400, fill(t, g, 60, signer{"p1", "a"}, later, later.Add(time.Hour)), "the old ones have expired")
	require.Len(t, g.all, 400)
	require.Equal(t, map[signer]int{{"p1", "a"}: 400, {"p1", ""}: 400}, g.counts)
}

// TestC03SharesOfSignaturesHoldAcrossRestarts: what was seen is refused, and
// counts as that of who has signed it.
func TestC03SharesOfSignaturesHoldAcrossRestarts(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	a, close := openTest(t, dir, func() time.Time { return t0 })
	see := func(n byte, key string) (bool, error) {
		seen, _, err := a.SeeSignature(ctx, "p1", key, [32]byte{n}, t0.Add(time.Minute), n%2 == 0)
		return seen, err
	}
	for n := range byte(20) {
		seen, err := see(n, "a")
		require.NoError(t, err)
		require.False(t, seen)
	}
	close()
	a, close = openTest(t, dir, func() time.Time { return t0 })
	defer close()
	a.signatures.seen.most = 60
	for n := range byte(20) {
		seen, err := see(n, "a")
		require.NoError(t, err)
		require.True(t, seen)
	}
	_, err := see(100, "a")
	require.ErrorIs(t, err, installer.ErrFull)
	require.ErrorContains(t, err, "access key a")
	_, err = see(101, "b")
	require.NoError(t, err)
}

// TestSignaturesOfABrokenDisk: what cannot be stored waits only as long as it counts.
func TestSignaturesOfABrokenDisk(t *testing.T) {
	t.Parallel()
	now := t0
	a, close := openTest(t, t.TempDir(), func() time.Time { return now })
	defer close()
	a.signatures.closed = true // no timer
	a.DB.Refuse(installer.ErrStorage)
	for n := range byte(2) {
		_, _, err := a.SeeSignature(t.Context(), "p1", "a", [32]byte{n}, t0.Add(time.Duration(1+n)*time.Minute), true)
		require.NoError(t, err)
	}
	a.flushSignatures()
	require.Len(t, a.signatures.pending, 2)
	now = t0.Add(90 * time.Second)
	a.flushSignatures()
	require.Len(t, a.signatures.pending, 1, "the first has expired")
	a.DB.Refuse(nil)
	a.flushSignatures()
	require.Empty(t, a.signatures.pending)
	require.NoError(t, a.DB.View(t.Context(), func(tx *kv.Tx) error {
		n := 0
		for range tx.All(tSeen, nil) {
			n++
		}
		require.Equal(t, 1, n)
		return nil
	}))
}
