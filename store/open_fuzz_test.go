package store

import (
	"bytes"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"

	"tripod/store/storetest"

	"github.com/stretchr/testify/require"
)

func fnvSum(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return h.Sum64()
}

// FuzzOpenDamaged: whatever is done to the file, Open says so or everything
// can be read; it never panics, faults or hangs.
func FuzzOpenDamaged(f *testing.F) {
	f.Add(uint32(0), []byte{0})
	f.Add(uint32(4096+16), []byte{0xff, 0xff})
	f.Add(uint32(3*4096), bytes.Repeat([]byte{0}, 64))
	f.Add(uint32(5*4096+10), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, at uint32, bytes []byte) {
		dir := filepath.Join(storetest.Dir(t), "state")
		s, err := Open(dir, Options{})
		require.NoError(t, err)
		submit(t, s, batch("B1", "h1", "h2", "h3"))
		require.NoError(t, s.Close())
		path := filepath.Join(dir, dbName)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		copy(data[int(at)%len(data):], bytes)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		if s, err = Open(dir, Options{}); err != nil {
			return
		}
		for {
			inv, _, err := s.Claim(t.Context(), t0, everything)
			if inv == nil || err != nil {
				break
			}
		}
		_ = s.Close()
	})
}
