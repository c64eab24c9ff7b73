package inventory

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func TestHostAt(t *testing.T) {
	t.Parallel()
	s := newTest(t)
	through := func(e installer.HostEntry, hop string) installer.HostEntry {
		e.Host.Via = []installer.Endpoint{{Address: hop, Port: 22, User: "ops"}}
		return e
	}
	at := func(e installer.HostEntry) string {
		h, err := s.HostAt(t.Context(), project, e.Host)
		if err != nil {
			require.ErrorIs(t, err, installer.ErrNotFound)
		}
		return h.ID
	}
	plain := known("", "10.0.0.1", "")
	assert.Empty(t, at(plain))
	register(t, s, through(known("a", "10.0.0.1", ""), "1.1.1.1"))
	assert.Equal(t, "a", at(plain), "the only one at this address")
	assert.Empty(t, at(known("", "10.0.0.11", "")))
	register(t, s, through(known("b", "10.0.0.1", ""), "2.2.2.2"))
	assert.Equal(t, "b", at(through(plain, "2.2.2.2")))
	assert.Empty(t, at(plain), "which of the two?")
}

func TestPins(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newTest(t)
	const at = "[fe80::1]:22"
	for _, key := range []string{"ssh-ed25519 AAAA", "ssh-rsa BBBB", "ssh-ed25519 AAAA"} {
		require.NoError(t, s.PinKey(ctx, project, at, key))
	}
	require.NoError(t, s.PinKey(ctx, project, at+"2", "ssh-rsa CCCC"))
	for _, bad := range []string{"", "two\nlines", "nul\x00"} {
		require.Error(t, s.PinKey(ctx, project, at, bad))
		require.Error(t, s.PinKey(ctx, project, bad, "ssh-rsa X"))
	}
	keys, err := s.PinnedKeys(ctx, project, at)
	require.NoError(t, err)
	assert.Equal(t, []string{"ssh-ed25519 AAAA", "ssh-rsa BBBB"}, keys)
	n, err := s.ForgetKeys(ctx, project, at)
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	keys, err = s.PinnedKeys(ctx, project, at+"2")
	require.NoError(t, err)
	assert.Len(t, keys, 1)

	long := net.JoinHostPort(strings.Repeat("n", 253), "65535")
	require.NoError(t, s.PinKey(ctx, project, long, "ssh-ed25519 FAR"))
	keys, err = s.PinnedKeys(ctx, project, long)
	require.NoError(t, err)
	assert.Equal(t, []string{"ssh-ed25519 FAR"}, keys)
}
