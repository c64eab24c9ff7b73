package store

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
)

// TestC04Keys: what access keys are, and that projects are apart.
func TestC04Keys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := filepath.Join(fastDir(t), "state")
	s, err := Open(dir, Options{Clock: func() time.Time { return t0 }})
	require.NoError(t, err)
	pair, err := s.AddKey(ctx, project, "ci", installer.FullRights)
	require.NoError(t, err)
	assert.Regexp(t, `^TPD[A-Z2-7]{17}$`, pair.AccessKey)
	assert.Regexp(t, `^[A-Za-z0-9_-]{40}$`, pair.SecretKey.Reveal())
	other, err := s.AddKey(ctx, "another", "ci", installer.ReadRights)
	require.NoError(t, err)
	_, err = s.AddKey(ctx, project, "ci", installer.FullRights)
	require.ErrorIs(t, err, installer.ErrExists)
	for _, bad := range [][3]string{{"..", "x", "full"}, {project, "a b", "full"}, {project, "x", "root"}, {project, "x", ""}} {
		_, err = s.AddKey(ctx, bad[0], bad[1], installer.Rights(bad[2]))
		require.Error(t, err, bad)
	}
	require.NoError(t, s.Close())

	s = openTest(t, dir, Options{})
	who, secret, err := s.Key(ctx, pair.AccessKey)
	require.NoError(t, err)
	assert.Equal(t, installer.Principal{Project: project, Kind: "key", Name: "ci", Rights: installer.FullRights}, who)
	assert.Equal(t, pair.SecretKey.Reveal(), secret.Reveal())
	who, _, err = s.Key(ctx, other.AccessKey)
	require.NoError(t, err)
	assert.Equal(t, installer.Principal{Project: "another", Kind: "key", Name: "ci", Rights: installer.ReadRights}, who)

	// C4: a project's list holds its own only, and nobody else can end one.
	infos, err := s.Keys(ctx, project)
	require.NoError(t, err)
	assert.Equal(t, []installer.KeyInfo{{
		TokenInfo: installer.TokenInfo{Project: project, Name: "ci", Rights: installer.FullRights, Created: t0}, AccessKey: pair.AccessKey,
	}}, infos)
	infos, err = s.Keys(ctx, "")
	require.NoError(t, err)
	assert.Len(t, infos, 2)
	require.ErrorIs(t, s.RemoveKey(ctx, "a-third", "ci"), installer.ErrNotFound)
	require.NoError(t, s.RemoveKey(ctx, project, "ci"))
	require.ErrorIs(t, s.RemoveKey(ctx, project, "ci"), installer.ErrNotFound)
	_, _, err = s.Key(ctx, pair.AccessKey)
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, _, err = s.Key(ctx, other.AccessKey)
	require.NoError(t, err)
}

// TestC08SecretKeyIsBoundToItsPlace: with another project, other rights or
// another access key in its row it does not open.
func TestC08SecretKeyIsBoundToItsPlace(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	pair, err := s.AddKey(t.Context(), project, "ci", installer.ReadRights)
	require.NoError(t, err)
	for field, value := range map[string]string{"project_id": "another", "rights": "full", "name": "other", "access_key": "TPDX"} {
		require.NoError(t, s.Update(t.Context(), func(tx *inventory.Tx) error {
			var stored map[string]any
			if _, err := kv.ReadRow(tx.Get(bKeys, []byte(pair.AccessKey)), &stored); err != nil {
				return err
			}
			stored[field] = value
			text, err := json.Marshal(stored)
			tx.PutRow(bKeys, []byte("moved-"+field), 0, json.RawMessage(text))
			return err
		}))
		_, _, err := s.Key(t.Context(), "moved-"+field)
		require.ErrorIs(t, err, installer.ErrStorage, field)
	}
}

// TestC03SignaturesAreRemembered: until they expire, across restarts, and no
// longer; those noted later with one commit for many.
func TestC03SignaturesAreRemembered(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := t0
	o := Options{Clock: func() time.Time { return now }}
	dir := filepath.Join(fastDir(t), "state")
	s, err := Open(dir, o)
	require.NoError(t, err)
	expires := t0.Add(15 * time.Minute)
	see := func(n byte, later bool) (bool, time.Duration) {
		seen, ago, err := s.SeeSignature(ctx, project, "AK", [32]byte{n}, expires, later)
		require.NoError(t, err)
		return seen, ago
	}
	txid := func() (id int) {
		require.NoError(t, s.View(ctx, func(t *inventory.Tx) error { id = t.ID(); return nil }))
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
	require.NoError(t, s.Close())

	s, err = Open(dir, o)
	require.NoError(t, err)
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
		require.NoError(t, s.View(ctx, func(t *inventory.Tx) error {
			k := append(kv.Number(kv.Micros(expires)), append([]byte{101}, make([]byte, 31)...)...)
			for row := range t.From(bSeen, k) {
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
	require.NoError(t, s.Close())
	s = openTest(t, dir, o)
	left := 0
	require.NoError(t, s.View(ctx, func(t *inventory.Tx) error {
		for range t.From(bSeen, nil) {
			left++
		}
		return nil
	}))
	require.Equal(t, 1, left, "expired ones are taken out")
}
