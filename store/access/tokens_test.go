package access

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/storetest"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, close := openTest(t, storetest.Dir(t), epoch)
	defer close()
	token, err := s.AddToken(ctx, project, "ci", installer.FullRights)
	require.NoError(t, err)
	assert.Regexp(t, `^tpd_[A-Za-z0-9_-]{43}$`, token)
	second, err := s.AddToken(ctx, "another", "ci", installer.ReadRights)
	require.NoError(t, err)
	require.NotEqual(t, token, second)
	_, err = s.AddToken(ctx, project, "ci", installer.FullRights)
	require.ErrorIs(t, err, installer.ErrExists)
	for _, bad := range []string{"", "a b", "x\n", "-x", strings.Repeat("n", 65)} {
		_, err = s.AddToken(ctx, project, bad, installer.FullRights)
		require.Error(t, err, "%q", bad)
	}
	_, err = s.AddToken(ctx, "..", "ci", installer.FullRights)
	require.Error(t, err)

	_, err = s.AddToken(ctx, project, "other", "all")
	require.ErrorContains(t, err, "want full or read")

	who, err := s.CheckToken(ctx, token)
	require.NoError(t, err)
	assert.Equal(t, installer.Principal{Project: project, Kind: "token", Name: "ci", Rights: installer.FullRights}, who)
	altered := token[:len(token)-2] + "xx"
	for _, bad := range []string{"", "tpd_", altered, strings.ToUpper(token), token + "x", " " + token, strings.Repeat("x", 1<<20)} {
		_, err := s.CheckToken(ctx, bad)
		require.ErrorIs(t, err, installer.ErrNotFound)
	}
	infos, err := s.Tokens(ctx, "")
	require.NoError(t, err)
	full := installer.TokenInfo{Project: project, Name: "ci", Rights: installer.FullRights, Created: t0}
	read := installer.TokenInfo{Project: "another", Name: "ci", Rights: installer.ReadRights, Created: t0}
	assert.Equal(t, []installer.TokenInfo{read, full}, infos)
	infos, err = s.Tokens(ctx, project)
	require.NoError(t, err)
	assert.Equal(t, []installer.TokenInfo{full}, infos)
	require.NoError(t, s.RemoveToken(ctx, project, "ci"))
	require.ErrorIs(t, s.RemoveToken(ctx, project, "ci"), installer.ErrNotFound)
	_, err = s.CheckToken(ctx, token)
	require.ErrorIs(t, err, installer.ErrNotFound)
	who, err = s.CheckToken(ctx, second)
	require.NoError(t, err)
	assert.Equal(t, installer.ReadRights, who.Rights)
}

// TestC02TokensAreHashes: nothing in the state folder opens anything.
func TestC02TokensAreHashes(t *testing.T) {
	t.Parallel()
	dir := storetest.Dir(t)
	s, close := openTest(t, dir, epoch)
	defer close()
	token, err := s.AddToken(t.Context(), project, "ci", installer.FullRights)
	require.NoError(t, err)
	raw, err := os.ReadFile(storetest.Database(dir))
	require.NoError(t, err)
	hash := sha256.Sum256([]byte(token))
	require.Contains(t, string(raw), base64.StdEncoding.EncodeToString(hash[:]))
	for _, text := range []string{token, strings.TrimPrefix(token, tokenPrefix)} {
		require.NotContains(t, string(raw), text)
	}
	_, err = s.CheckToken(t.Context(), string(hash[:]))
	require.ErrorIs(t, err, installer.ErrNotFound, "the hash is no token")
}
