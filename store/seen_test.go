package store

import (
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// fill remembers as many signatures as by may have, all different by tag.
func fill(t *testing.T, g *seen, tag byte, by signer, now, expires time.Time) (n int) {
	t.Helper()
	for ; ; n++ {
		var signature [32]byte
		signature[31] = tag
		binary.BigEndian.PutUint64(signature[:], uint64(n))
		if err := g.add(signature, by, now, expires, now); err != nil {
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
	require.Len(t, g.keys, 1)
	require.Len(t, g.projects, 1)
	require.Equal(t, 400, g.projects["p1"].n)
}

// TestC03SharesOfSignaturesHoldAcrossRestarts: what was seen is refused, and
// counts as that of who has signed it.
func TestC03SharesOfSignaturesHoldAcrossRestarts(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	o := Options{Clock: func() time.Time { return t0 }}
	dir := filepath.Join(fastDir(t), "state")
	s, err := Open(dir, o)
	require.NoError(t, err)
	see := func(n byte, key string) (bool, error) {
		seen, _, err := s.SeeSignature(ctx, "p1", key, [32]byte{n}, t0.Add(time.Minute), n%2 == 0)
		return seen, err
	}
	for n := range byte(20) {
		seen, err := see(n, "a")
		require.NoError(t, err)
		require.False(t, seen)
	}
	require.NoError(t, s.Close())
	s = openTest(t, dir, o)
	s.signatures.seen.most = 60
	for n := range byte(20) {
		seen, err := see(n, "a")
		require.NoError(t, err)
		require.True(t, seen)
	}
	_, err = see(100, "a")
	require.ErrorIs(t, err, installer.ErrFull)
	require.ErrorContains(t, err, "access key a")
	_, err = see(101, "b")
	require.NoError(t, err)
}

// TestSignaturesOfABrokenDisk: what cannot be stored waits only as long as it counts.
func TestSignaturesOfABrokenDisk(t *testing.T) {
	t.Parallel()
	now := t0
	s := newTest(t, Options{Clock: func() time.Time { return now }})
	s.signatures.closed = true // no timer
	s.db.Refuse(installer.ErrStorage)
	for n := range byte(2) {
		_, _, err := s.SeeSignature(t.Context(), "p1", "a", [32]byte{n}, t0.Add(time.Duration(1+n)*time.Minute), true)
		require.NoError(t, err)
	}
	s.flushSignatures()
	require.Len(t, s.signatures.pending, 2)
	now = t0.Add(90 * time.Second)
	s.flushSignatures()
	require.Len(t, s.signatures.pending, 1, "the first has expired")
	s.db.Refuse(nil)
	s.flushSignatures()
	require.Empty(t, s.signatures.pending)
	require.Equal(t, 1, rows(t, s, bSeen))
}
