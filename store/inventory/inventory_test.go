package inventory

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
	"tripod/store/storetest"
	"tripod/store/tasks"
	"tripod/store/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const project = installer.DefaultProject

var known = storetest.Known

func newTest(t *testing.T) *Inventory {
	t.Helper()
	dir := storetest.Dir(t)
	room := storetest.Room(t, dir, time.Now, slices.Concat(Tables, tasks.Tables), storetest.Empty)
	v, err := vault.Open(dir, vault.Options{First: true})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, room.DB.Close())
		assert.NoError(t, v.Close())
	})
	return New(room, v)
}

func register(t *testing.T, s *Inventory, entries ...installer.HostEntry) {
	t.Helper()
	require.NoError(t, s.RegisterHosts(t.Context(), project, entries))
}
