package access

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/storetest"
)

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

// TestC03SignaturesAreRemembered: until they expire, across restarts, and no
// longer; those noted later with one commit for many.
func TestC03SignaturesAreRemembered(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := t0
	clock := func() time.Time { return now }
	dir := storetest.Dir(t)
	s, close := openTest(t, dir, clock)
	expires := t0.Add(15 * time.Minute)
	see := func(n byte, later bool) (bool, time.Duration) {
		seen, ago, err := s.SeeSignature(ctx, project, "AK", [32]byte{n}, expires, later)
		require.NoError(t, err)
		return seen, ago
	}
	txid := func() (id int) {
		require.NoError(t, s.DB.View(ctx, func(t *kv.Tx) error { id = t.ID(); return nil }))
		return id
	}
	before, began := txid(), time.Now()
	for n := range byte(50) {
		seen, _ := see(n, true)
		require.False(t, seen)
	}
	require.LessOrEqual(t, txid(), before+1+int(time.Since(began)/seenDelay))
	seen, _ := see(100, false)
	require.False(t, seen)
	now = now.Add(3 * time.Second)
	seen, ago := see(100, false)
	require.True(t, seen)
	require.Equal(t, 3*time.Second, ago)
	seen, ago = see(7, true)
	require.True(t, seen)
	require.Equal(t, 3*time.Second, ago)
	close()

	s, close = openTest(t, dir, clock)
	for _, n := range []byte{0, 49, 100} {
		seen, ago := see(n, true)
		require.True(t, seen)
		require.Greater(t, ago, 365*24*time.Hour, "by an earlier process: never a moment ago")
	}
	// Without a clean end: what is noted later is on disk soon.
	seen, _ = see(101, true)
	require.False(t, seen)
	require.Eventually(t, func() bool {
		found := false
		require.NoError(t, s.DB.View(ctx, func(t *kv.Tx) error {
			k := append(kv.Number(kv.Micros(expires)), append([]byte{101}, make([]byte, 31)...)...)
			for row := range t.From(tSeen, k) {
				found = bytes.Equal(row, k)
				break
			}
			return nil
		}))
		return found
	}, time.Minute, 20*time.Millisecond)

	now = expires.Add(time.Minute)
	expires = now.Add(15 * time.Minute)
	seen, _ = see(1, false)
	require.False(t, seen, "it has expired: its date is refused")
	close()
	s, close = openTest(t, dir, clock)
	defer close()
	left := 0
	require.NoError(t, s.DB.View(ctx, func(t *kv.Tx) error {
		for range t.From(tSeen, nil) {
			left++
		}
		return nil
	}))
	require.Equal(t, 1, left, "expired ones are taken out")
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
