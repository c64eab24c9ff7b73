package files

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/store/disk"
	"tripod/store/kv"
	"tripod/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const project = "default"

func openTest(t *testing.T, dir string, clock func() time.Time) *Files {
	t.Helper()
	room := storetest.Room(t, dir, clock, Tables, storetest.Empty)
	s := New(room, Options{Dir: dir, LogCap: 4 << 20, Users: func(*kv.Tx, string) int { return 0 }})
	for _, sub := range []string{LogsFolder, BlobsFolder} {
		require.NoError(t, disk.MakeFolder(s.path(sub)))
	}
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		assert.NoError(t, s.DB.Close())
	})
	return s
}

func newTest(t *testing.T) *Files {
	t.Helper()
	return openTest(t, storetest.Dir(t), time.Now)
}
