package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tripod/installer"
	"tripod/store/storetest"
	"tripod/store/vault"
)

// TestA04BrokenDisk: after a failed commit that space cannot cure, nothing is
// acknowledged any more, even if the disk seems well again; reading goes on.
func TestA04BrokenDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(storetest.Dir(t), "state")
	s, err := Open(dir, Options{})
	require.NoError(t, err)
	submit(t, s, batch("B1", "h1"))
	inv := claim(t, s, t0, "")
	// What fails is to be a write, which nothing cures, not the growth of the file.
	for n, size := 0, fileSize(t, s); fileSize(t, s) == size; n++ {
		submit(t, s, batch(fmt.Sprint("F", n), "h2"))
	}

	mend := spoil(t, s.path(dbName), s.path(dbName), os.O_RDONLY) // cannot be written
	b2 := batch("B2", "h1")
	b2.Items[0].Credentials = installer.Credentials{}
	require.ErrorIs(t, s.Submit(t.Context(), b2), installer.ErrStorage)
	mend()
	err = s.Submit(t.Context(), b2)
	require.ErrorIs(t, err, installer.ErrStorage)
	require.ErrorContains(t, err, "opened again")
	require.ErrorIs(t, s.Finish(t.Context(), inv.Ref(), installer.Transition{State: installer.Succeeded}), installer.ErrStorage)
	_, err = s.Batch(t.Context(), project, "B1")
	require.NoError(t, err)
	require.NoError(t, s.Close())

	s = openTest(t, dir, Options{})
	submit(t, s, b2)
	orphans, err := s.Orphans(t.Context())
	require.NoError(t, err)
	assert.Len(t, orphans, 1)
}

// TestA05BrokenKeys: when a login key could not be brought to disk, nothing is
// acknowledged any more either, so that the daemon ends.
func TestA05BrokenKeys(t *testing.T) {
	t.Parallel()
	s, err := Open(filepath.Join(storetest.Dir(t), "state"), Options{})
	require.NoError(t, err)
	submit(t, s, batch("B1", "h1"))
	inv := claim(t, s, t0, "")
	mend := spoil(t, s.path(vault.KeysName), os.DevNull, os.O_RDWR) // is written, and not synced
	require.ErrorIs(t, s.Submit(t.Context(), batch("B2", "h2")), unix.EINVAL)
	mend()
	err = s.Submit(t.Context(), batch("B3", "h2"))
	require.ErrorIs(t, err, installer.ErrStorage)
	require.ErrorContains(t, err, "opened again")
	require.ErrorIs(t, s.Finish(t.Context(), inv.Ref(), installer.Transition{State: installer.Succeeded}), installer.ErrStorage)
	_, err = s.Credentials(t.Context(), inv)
	require.NoError(t, err, "reading goes on")
	require.NoError(t, s.Close())
}

// spoil has the descriptor of a file lead elsewhere until the test mends it.
func spoil(t *testing.T, path, other string, flag int) (mend func()) {
	t.Helper()
	bad, err := os.OpenFile(other, flag, 0)
	require.NoError(t, err)
	fd := descriptorOf(t, path, int(bad.Fd()))
	saved, err := unix.Dup(fd)
	require.NoError(t, err)
	require.NoError(t, unix.Dup3(int(bad.Fd()), fd, unix.O_CLOEXEC))
	require.NoError(t, bad.Close())
	return func() {
		t.Helper()
		require.NoError(t, unix.Dup3(saved, fd, unix.O_CLOEXEC))
		require.NoError(t, unix.Close(saved))
	}
}

func fileSize(t *testing.T, s *Store) int64 {
	t.Helper()
	info, err := os.Stat(s.path(dbName))
	require.NoError(t, err)
	return info.Size()
}

func descriptorOf(t *testing.T, path string, not int) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range entries {
		if target, _ := os.Readlink("/proc/self/fd/" + e.Name()); target == path {
			if fd, err := strconv.Atoi(e.Name()); err == nil && fd != not {
				return fd
			}
		}
	}
	require.Fail(t, "the database is not open")
	return -1
}
