package access

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

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
