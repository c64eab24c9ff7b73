package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/storetest"
	"tripod/store/tasks"
	"tripod/store/vault"
)

// usedOpen and usedRunning are how many tasks there are in a used folder.
const usedOpen, usedRunning = 80, 20

// used is a folder with some work in it, closed.
func used(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(storetest.Dir(t), "state")
	s, err := Open(dir, Options{KeepOther: time.Hour})
	require.NoError(t, err)
	submit(t, s, batch("B1", hostNames(usedOpen)...))
	for range usedRunning {
		inv := claim(t, s, t0, "")
		require.NoError(t, s.Journal(t.Context(), inv.Ref(), installer.StepRecord{Step: installer.StepConnect}))
	}
	require.NoError(t, s.Close())
	return dir
}

// TestA05DamagedDatabase: torn, truncated or with a zeroed page: refuse with a
// clear message, the file kept as it is, and the folder free again.
func TestA05DamagedDatabase(t *testing.T) {
	t.Parallel()
	dir := used(t)
	path := filepath.Join(dir, dbName)
	original, err := os.ReadFile(path)
	require.NoError(t, err)
	page := os.Getpagesize()
	meta := func(data []byte) int { // the newer meta page
		if binary.NativeEndian.Uint64(data[16+48:]) > binary.NativeEndian.Uint64(data[page+16+48:]) {
			return 0
		}
		return page
	}
	damages := map[string]func([]byte) []byte{
		"half":       func(b []byte) []byte { return b[:len(b)/2] },
		"one page":   func(b []byte) []byte { return b[:page] },
		"four pages": func(b []byte) []byte { return b[:4*page] },
		"some bytes": func(b []byte) []byte { return b[:100] },
		"garbage":    func(b []byte) []byte { return []byte("this is not a database, but somebody's letter home\n") },
		"zeros":      func(b []byte) []byte { return make([]byte, len(b)) },
		"root page": func(b []byte) []byte {
			root := int(binary.NativeEndian.Uint64(b[meta(b)+16+16:]))
			clear(b[root*page : (root+1)*page])
			return b
		},
		"freelist page": func(b []byte) []byte {
			list := int(binary.NativeEndian.Uint64(b[meta(b)+16+32:]))
			clear(b[list*page : (list+1)*page])
			return b
		},
		"root elsewhere": func(b []byte) []byte { // a pointer far out of the file, with a right checksum
			m := b[meta(b)+16:]
			binary.NativeEndian.PutUint64(m[16:], 1<<40)
			binary.NativeEndian.PutUint64(m[56:], fnvSum(m[:56]))
			return b
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			bad := damage(bytes.Clone(original))
			require.NoError(t, os.WriteFile(path, bad, 0o600))
			_, err := Open(dir, Options{})
			require.ErrorIs(t, err, disk.ErrDamaged)
			require.ErrorIs(t, err, installer.ErrStorage)
			assert.ErrorContains(t, err, path)
			assert.ErrorContains(t, err, "kept as it is")
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, bad, after)
			_, err = Open(dir, Options{LockWait: time.Millisecond})
			require.NotErrorIs(t, err, ErrLocked, "the lock leaked")
		})
	}
}

// TestA05ZeroedPages zeroes every page in turn. Whatever is in use must be
// noticed at the start; what is not may be ignored, if everything is there.
func TestA05ZeroedPages(t *testing.T) {
	t.Parallel()
	dir := used(t)
	path := filepath.Join(dir, dbName)
	original, err := os.ReadFile(path)
	require.NoError(t, err)
	page := os.Getpagesize()
	noticed := 0
	for n := 2; (n+1)*page <= len(original); n++ {
		if binary.NativeEndian.Uint64(original[n*page:]) != uint64(n) {
			continue // never used, or the middle of a longer one
		}
		bad := append([]byte(nil), original...)
		clear(bad[n*page : (n+1)*page])
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		s, err := Open(dir, Options{KeepOther: time.Hour})
		if err != nil {
			require.ErrorIs(t, err, disk.ErrDamaged, "page %d", n)
			noticed++
			continue
		}
		list, err := s.Invocations(t.Context(), installer.Filter{ProjectID: project})
		require.NoError(t, err, "page %d", n)
		require.Len(t, list.Invocations, usedOpen, "page %d", n)
		require.NoError(t, s.Close())
	}
	assert.Greater(t, noticed, 10)
}

// TestA05FlippedByte: bbolt has no checksums of its own for data.
func TestA05FlippedByte(t *testing.T) {
	t.Parallel()
	dir := used(t)
	path := filepath.Join(dir, dbName)
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(b *bbolt.Tx) error {
		k, v := b.Bucket([]byte(tasks.TInv.Name)).Cursor().First()
		bad := append([]byte(nil), v...)
		bad[len(bad)/2] ^= 1
		return b.Bucket([]byte(tasks.TInv.Name)).Put(append([]byte(nil), k...), bad)
	}))
	require.NoError(t, db.Close())
	_, err = Open(dir, Options{})
	require.ErrorIs(t, err, disk.ErrDamaged)
	assert.ErrorContains(t, err, "B1-0000")
}

func TestA06MissingOrEmptyDatabase(t *testing.T) {
	t.Parallel()
	dir := used(t)
	path := filepath.Join(dir, dbName)
	require.NoError(t, os.Truncate(path, 0))
	_, err := Open(dir, Options{})
	require.ErrorIs(t, err, disk.ErrDamaged)
	assert.ErrorContains(t, err, "empty")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Zero(t, info.Size(), "kept as it is")

	require.NoError(t, os.Remove(path))
	_, err = Open(dir, Options{})
	require.ErrorIs(t, err, disk.ErrDamaged)
	assert.ErrorContains(t, err, "missing")
	_, err = Open(dir, Options{ReadOnly: true})
	require.ErrorIs(t, err, disk.ErrDamaged)
	assert.NoFileExists(t, path)
}

// TestFirstUseCutShort: a crash between any two steps of the first start
// leaves a folder that the next start completes.
func TestFirstUseCutShort(t *testing.T) {
	t.Parallel()
	for _, removed := range [][]string{{markerName}, {markerName, dbName}, {markerName, dbName, vault.KeysName}, {markerName, dbName, vault.KeysName, vault.MasterName}} {
		dir := filepath.Join(storetest.Dir(t), "state")
		s, err := Open(dir, Options{})
		require.NoError(t, err)
		require.NoError(t, s.Close())
		for _, name := range removed {
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, dbName+".new"), []byte("half"), 0o600))
		s, err = Open(dir, Options{})
		require.NoError(t, err, "without %v", removed)
		submit(t, s, batch("B1", "h1"))
		require.NoError(t, s.Close())
		assert.FileExists(t, filepath.Join(dir, markerName))
	}
}

func TestSchemaOfTheFuture(t *testing.T) {
	t.Parallel()
	dir := used(t)
	db, err := bbolt.Open(filepath.Join(dir, dbName), 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(b *bbolt.Tx) error {
		return b.Bucket([]byte(bMeta.Name)).Put(keySchema, binary.BigEndian.AppendUint32(nil, schema+1))
	}))
	require.NoError(t, db.Close())
	_, err = Open(dir, Options{})
	require.ErrorContains(t, err, fmt.Sprint("schema version ", schema+1))
}

// TestSchemaOfThePast: what an earlier tripod has written is refused, with what to
// do about it, and left as it is.
func TestSchemaOfThePast(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]bool{"its schema": true, "and without key files": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := used(t)
			db, err := bbolt.Open(filepath.Join(dir, dbName), 0o600, nil)
			require.NoError(t, err)
			require.NoError(t, db.Update(func(b *bbolt.Tx) error {
				return b.Bucket([]byte(bMeta.Name)).Put(keySchema, binary.BigEndian.AppendUint32(nil, schema-1))
			}))
			require.NoError(t, db.Close())
			if !keys {
				require.NoError(t, os.Remove(filepath.Join(dir, vault.KeysName)))
			}
			before, err := os.ReadFile(filepath.Join(dir, dbName))
			require.NoError(t, err)
			for _, o := range []Options{{}, {ReadOnly: true}} {
				_, err := Open(dir, o)
				require.ErrorIs(t, err, installer.ErrStorage)
				require.NotErrorIs(t, err, disk.ErrDamaged)
				require.ErrorContains(t, err, dir+" was written by an earlier tripod")
				require.ErrorContains(t, err, "move the folder away")
			}
			after, err := os.ReadFile(filepath.Join(dir, dbName))
			require.NoError(t, err)
			assert.Equal(t, before, after)
		})
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "none")
	_, err := Open(empty, Options{ReadOnly: true})
	require.ErrorIs(t, err, ErrNoState)
	assert.NoDirExists(t, empty)

	dir := used(t)
	reader := openTest(t, dir, Options{ReadOnly: true})
	second := openTest(t, dir, Options{ReadOnly: true})
	for _, s := range []*Store{reader, second} {
		page, err := s.Invocations(t.Context(), installer.Filter{ProjectID: project, State: installer.Running})
		require.NoError(t, err)
		assert.EqualValues(t, usedRunning, page.Count)
		require.ErrorIs(t, s.Submit(t.Context(), batch("B2", "h1")), installer.ErrStorage)
		_, err = s.Cancel(t.Context(), project, "B1-0000")
		require.ErrorIs(t, err, installer.ErrStorage)
		creds, err := keptHostCredentials(t.Context(), s, project, hostNames(1)[0])
		require.NoError(t, err)
		assert.False(t, creds.IsZero())
	}
	_, err = Open(dir, Options{LockWait: time.Millisecond})
	require.ErrorIs(t, err, ErrLocked)
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	s, err := Open(filepath.Join(t.TempDir(), "state"), Options{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Submit(t.Context(), batch("B1", "h1")), installer.ErrStorage)
	_, err = s.Batch(t.Context(), project, "B1")
	require.ErrorIs(t, err, installer.ErrStorage)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Submit(canceled, batch("B1", "h1")), context.Canceled)
}

// TestC11Modes: whatever the umask, nobody else can read; and what others can
// read or have linked is refused.
func TestC11Modes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	old := syscall.Umask(0)
	s, err := Open(dir, Options{KeepOther: time.Hour})
	require.NoError(t, err)
	submit(t, s, batch("B1", "h1"))
	inv := claim(t, s, t0, "")
	log, err := s.OpenLog(t.Context(), inv)
	require.NoError(t, err)
	_, err = log.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, log.Close())
	_, err = s.PutBlob(t.Context(), os.Stdin, "nothing")
	syscall.Umask(old)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	var files []string
	require.NoError(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		require.NoError(t, err)
		want := os.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		assert.Equal(t, want, info.Mode().Perm(), path)
		if path != filepath.Join(dir, "logs", "B1") && filepath.Base(filepath.Dir(path)) != "blobs" && filepath.Base(filepath.Dir(path)) != "B1" {
			files = append(files, path)
		}
		return nil
	}))
	require.Greater(t, len(files), 7)

	for _, path := range files {
		info, err := os.Stat(path)
		require.NoError(t, err)
		for _, loose := range []os.FileMode{0o040, 0o004, 0o020} {
			require.NoError(t, os.Chmod(path, info.Mode().Perm()|loose))
			_, err := Open(dir, Options{KeepOther: time.Hour})
			require.ErrorContains(t, err, "open to other users", path)
			require.ErrorContains(t, err, path)
		}
		require.NoError(t, os.Chmod(path, info.Mode().Perm()))
		if path == dir {
			continue
		}
		require.NoError(t, os.Rename(path, path+"-real"))
		require.NoError(t, os.Symlink(path+"-real", path))
		_, err = Open(dir, Options{KeepOther: time.Hour})
		require.ErrorContains(t, err, "symbolic link", path)
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.Rename(path+"-real", path))
	}
	s = openTest(t, dir, Options{KeepOther: time.Hour})
	_, err = keptHostCredentials(t.Context(), s, project, "h1")
	require.NoError(t, err)
}

func TestEmptyFolderIsTightened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // 0755
	openTest(t, dir, Options{})
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.EqualValues(t, 0o700, info.Mode().Perm())
}
