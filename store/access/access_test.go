package access

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/store/storetest"
	"tripod/store/vault"
)

var t0 = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const project = "default"

func epoch() time.Time { return t0 }

func openTest(t *testing.T, dir string, clock func() time.Time) (a *Access, close func()) {
	t.Helper()
	room := storetest.Room(t, dir, clock, Tables, storetest.Empty)
	v, err := vault.Open(dir, vault.Options{First: true})
	require.NoError(t, err)
	a, err = New(t.Context(), room, v)
	require.NoError(t, err)
	return a, func() {
		a.Close()
		require.NoError(t, room.DB.Close())
		require.NoError(t, v.Close())
	}
}
