package access

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/storetest"
)

// TestC04Keys: what access keys are, and that projects are apart.
func TestC04Keys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := storetest.Dir(t)
	s, close := openTest(t, dir, epoch)
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
	close()

	s, close = openTest(t, dir, epoch)
	defer close()
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
	s, close := openTest(t, storetest.Dir(t), epoch)
	defer close()
	pair, err := s.AddKey(t.Context(), project, "ci", installer.ReadRights)
	require.NoError(t, err)
	for field, value := range map[string]string{"project_id": "another", "rights": "full", "name": "other", "access_key": "TPDX"} {
		require.NoError(t, s.DB.Update(t.Context(), func(tx *kv.Tx) error {
			var stored map[string]any
			if _, err := kv.ReadRow(tx.Get(tKeys, []byte(pair.AccessKey)), &stored); err != nil {
				return err
			}
			stored[field] = value
			text, err := json.Marshal(stored)
			tx.PutRow(tKeys, []byte("moved-"+field), 0, json.RawMessage(text))
			return err
		}))
		_, _, err := s.Key(t.Context(), "moved-"+field)
		require.ErrorIs(t, err, installer.ErrStorage, field)
	}
}

// TestC03UnknownKeysTakeAsLong: what is done for a key that exists is done for one that
// does not.
func TestC03UnknownKeysTakeAsLong(t *testing.T) {
	t.Parallel()
	a, close := openTest(t, t.TempDir(), func() time.Time { return t0 })
	defer close()
	_, _, err := a.Key(t.Context(), "TPDNOTKNOWN234567890")
	require.ErrorIs(t, err, installer.ErrNotFound)
	for _, at := range []int{0, len(a.noKey) - 5} { // its checksum, and what is sealed
		spoilt := bytes.Clone(a.noKey)
		spoilt[at] ^= 1
		kept := a.noKey
		a.noKey = spoilt
		_, _, err = a.Key(t.Context(), "TPDNOTKNOWN234567890")
		require.NotErrorIs(t, err, installer.ErrNotFound, "it was not opened")
		a.noKey = kept
	}
}
