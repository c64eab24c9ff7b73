package vault

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/disk"
)

// cachedFile is a file as Linux has it: what a failed sync could not bring to disk is
// taken for written from then on, and the next sync says that all is well.
type cachedFile struct {
	medium // what is in memory
	mu     sync.Mutex
	dirty  map[int64][]byte
	disk   []byte

	written func() // after the next write
	syncing func() error
}

func cached(tb testing.TB, v *Vault) *cachedFile {
	tb.Helper()
	f := &cachedFile{medium: v.slots.file, dirty: map[int64][]byte{}}
	var err error
	f.disk, err = io.ReadAll(io.NewSectionReader(f.medium, 0, 1<<20))
	require.NoError(tb, err)
	v.slots.file = f
	return f
}

func (f *cachedFile) WriteAt(p []byte, at int64) (int, error) {
	f.mu.Lock()
	for i := 0; i < len(p); i += slotSize {
		f.dirty[at+int64(i)] = append([]byte(nil), p[i:i+slotSize]...)
	}
	n, err := f.medium.WriteAt(p, at)
	after := f.written
	f.written = nil
	f.mu.Unlock()
	if after != nil {
		after()
	}
	return n, err
}

func (f *cachedFile) Sync() (err error) {
	f.mu.Lock()
	dirty, syncing := f.dirty, f.syncing
	f.dirty, f.syncing = map[int64][]byte{}, nil
	f.mu.Unlock()
	if syncing != nil {
		err = syncing()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for at, p := range dirty {
		if err == nil {
			f.disk = append(f.disk, make([]byte, max(0, int(at)+slotSize-len(f.disk)))...)
			copy(f.disk[at:], p)
		}
	}
	return err
}

// holds tells whether the disk has the key of a sealed value.
func (f *cachedFile) holds(v *Vault, ref []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := int(slotOf(ref)) * slotSize
	return at+slotSize <= len(f.disk) && v.isOf(ref, slot(f.disk[at:at+slotSize]))
}

// waiting returns when somebody waits for the sync after the one that is under way, or
// has ended without.
func waiting(v *Vault, ended <-chan error) {
	for len(ended) == 0 {
		v.slots.flush.mu.Lock()
		next := v.slots.flush.next
		v.slots.flush.mu.Unlock()
		if next != nil {
			return
		}
		runtime.Gosched()
	}
}

// TestA05SyncAfterAFailedOne: who has written when a sync fails is not told that it is
// on disk by the next one, whether he waits for that already or is about to. Only where
// room was missing does it go on, with all written anew.
func TestA05SyncAfterAFailedOne(t *testing.T) {
	t.Parallel()
	for _, why := range []error{syscall.EIO, syscall.ENOSPC} {
		for _, what := range []string{"new keys", "forget"} {
			for _, when := range []string{"waits", "has written"} {
				t.Run(why.Error()+" "+what+" "+when, func(t *testing.T) {
					t.Parallel()
					v, dir := newVault(t)
					old := sealAll(t, v, "old", "other")
					f := cached(t, v)
					ended := make(chan error, 1)
					var keys []Key
					second := func() {
						var err error
						if what == "forget" {
							err = v.Forget(old[0])
						} else {
							keys, err = v.NewKeys(1)
						}
						ended <- err
					}
					failing := func() error { return why }
					if when == "waits" {
						f.syncing = func() error {
							go second()
							waiting(v, ended)
							return failing()
						}
						_, err := v.NewKeys(1)
						require.ErrorIs(t, err, why)
					} else {
						f.syncing = failing
						first := func() { _ = v.slots.flush.now(v.slots.flush.failed, f.Sync) }
						f.written = first
						second()
					}
					err := <-ended
					require.ErrorIs(t, err, why)
					require.ErrorIs(t, err, installer.ErrStorage)
					require.Empty(t, keys)

					err = v.Forget(old[0])
					more, errMore := v.NewKeys(2)
					if why == syscall.ENOSPC {
						require.NoError(t, err)
						require.NoError(t, errMore)
						require.NoError(t, v.Broken())
						assert.False(t, f.holds(v, old[0]))
						assert.True(t, f.holds(v, more[1].Ref()))
						assert.Equal(t, 3, v.Count())
						return
					}
					for _, err := range []error{err, errMore, v.Broken()} {
						require.ErrorIs(t, err, installer.ErrStorage)
						require.ErrorContains(t, err, "opened again")
					}
					requireOpens(t, v, "other", old[1])

					v = openVault(t, dir) // memory has zeros where the disk may have keys
					again := cached(t, v)
					again.disk = f.disk
					require.NoError(t, v.ForgetAllBut(old[1]))
					assert.False(t, again.holds(v, old[0]))
					assert.True(t, again.holds(v, old[1]))
					assert.Equal(t, 1, v.Count())
				})
			}
		}
	}
}

// TestForgetOfTheSame: whoever asks is answered when it is on disk, also the second one.
func TestForgetOfTheSame(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	sealed := sealAll(t, v, "a", "b")
	f := cached(t, v)
	second := make(chan error, 1)
	f.syncing = func() error {
		go func() { second <- v.Forget(sealed[0]) }()
		waiting(v, second)
		assert.Empty(t, second, "it is not on disk yet")
		return nil
	}
	require.NoError(t, v.Forget(sealed[0]))
	require.NoError(t, <-second)
	assert.False(t, f.holds(v, sealed[0]))
	fresh := sealAll(t, v, "c", "d")
	assert.NotEqual(t, slotOf(fresh[0]), slotOf(fresh[1]), "the slot is free once")
	assert.Equal(t, 3, v.Count())
}

// TestKeysCutShort: a slot that is gone is damage, not forgetting: its secret is not
// lost for good, for a backup may have the key.
func TestKeysCutShort(t *testing.T) {
	t.Parallel()
	v, dir := newVault(t)
	sealed := sealAll(t, v, "a", "b")
	require.NoError(t, v.Close())
	path := filepath.Join(dir, KeysName)
	require.NoError(t, os.Truncate(path, int64(slotOf(sealed[1]))*slotSize))
	v = openVault(t, dir)
	requireOpens(t, v, "a", sealed[0])
	_, err := v.Open([]byte("b"), sealed[1])
	for _, err := range []error{err, v.Forget(sealed[1]), v.ForgetAllBut(sealed...)} {
		require.ErrorIs(t, err, disk.ErrDamaged)
		require.ErrorIs(t, err, installer.ErrStorage)
		require.ErrorContains(t, err, "cut short")
	}
	requireOpens(t, v, "a", sealed[0])
}
