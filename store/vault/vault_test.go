package vault

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
	"tripod/store/disk"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		childMain(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func newVault(tb testing.TB) (*Vault, string) {
	tb.Helper()
	dir := tb.TempDir()
	require.NoError(tb, os.Chmod(dir, 0o700))
	return openVault(tb, dir), dir
}

func openVault(tb testing.TB, dir string) *Vault {
	tb.Helper()
	v, err := Open(dir, Options{First: true})
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, v.Close()) })
	return v
}

// sealAll seals secrets, each for the place that is named as it is.
func sealAll(tb testing.TB, v *Vault, secrets ...string) [][]byte {
	tb.Helper()
	keys, err := v.NewKeys(len(secrets))
	require.NoError(tb, err)
	sealed := make([][]byte, len(secrets))
	for i, s := range secrets {
		sealed[i] = keys[i].Seal([]byte(s), []byte("secret of "+s))
	}
	return sealed
}

func requireOpens(tb testing.TB, v *Vault, place string, sealed []byte) {
	tb.Helper()
	got, err := v.Open([]byte(place), sealed)
	require.NoError(tb, err, place)
	require.Equal(tb, "secret of "+place, string(got))
}

func requireForgotten(tb testing.TB, v *Vault, place string, sealed []byte) {
	tb.Helper()
	_, err := v.Open([]byte(place), sealed)
	require.ErrorIs(tb, err, ErrForgotten, place)
}

// TestC08SealedValuesAreBound: to their place, their key and every byte of them.
func TestC08SealedValuesAreBound(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	sealed := sealAll(t, v, "a", "b")
	requireOpens(t, v, "a", sealed[0])
	_, err := v.Open([]byte("b"), sealed[0])
	require.ErrorIs(t, err, ErrAltered)
	mixed := append(bytes.Clone(Ref(sealed[1])), sealed[0][refSize:]...)
	_, err = v.Open([]byte("a"), mixed)
	require.ErrorIs(t, err, ErrAltered, "another's key")
	for i := range sealed[0] {
		bad := bytes.Clone(sealed[0])
		bad[i] ^= 1
		_, err := v.Open([]byte("a"), bad)
		require.Error(t, err, "byte %d", i)
	}
	for n := range sealed[0] {
		_, err := v.Open([]byte("a"), sealed[0][:n])
		require.Error(t, err, "%d bytes", n)
	}
	other, _ := newVault(t)
	sealAll(t, other, "a")
	_, err = other.Open([]byte("a"), sealed[0])
	require.ErrorIs(t, err, ErrForgotten, "another vault has no such key")
}

// TestC09Erasure: what was forgotten opens no more, with what is in the folder now,
// and the rest does.
func TestC09Erasure(t *testing.T) {
	t.Parallel()
	v, dir := newVault(t)
	sealed := sealAll(t, v, "a", "b", "c")
	s, err := v.slots.read(slotOf(sealed[1]))
	require.NoError(t, err)
	require.NoError(t, v.Forget(sealed[1]))
	requireForgotten(t, v, "b", sealed[1])
	again := sealAll(t, v, "d") // its slot has another key now
	require.Equal(t, slotOf(sealed[1]), slotOf(again[0]), "a slot is used again")
	requireForgotten(t, v, "b", sealed[1])
	require.NoError(t, v.Forget(sealed[1]), "once more: the new one's key stays")
	for _, reopened := range []bool{false, true} {
		if reopened {
			v = openVault(t, dir)
		}
		requireOpens(t, v, "a", sealed[0])
		requireForgotten(t, v, "b", sealed[1])
		requireOpens(t, v, "c", sealed[2])
		requireOpens(t, v, "d", again[0])
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		require.False(t, bytes.Contains(data, s[:]), "%s has what the key was made of", f.Name())
	}
}

// The master key alone, or the slots alone, open nothing.
func TestAnotherMasterKeyOpensNothing(t *testing.T) {
	t.Parallel()
	v, dir := newVault(t)
	sealed := sealAll(t, v, "a")
	check := v.MasterCheck()
	require.NoError(t, v.CheckMaster(check))
	lasting := v.SealWithMaster([]byte("place"), []byte("x"))
	other := make([]byte, keySize)
	_, _ = rand.Read(other)
	require.NoError(t, os.WriteFile(filepath.Join(dir, MasterName), other, 0o600))
	v = openVault(t, dir)
	require.ErrorContains(t, v.CheckMaster(check), "not the one")
	_, err := v.Open([]byte("a"), sealed[0])
	require.Error(t, err)
	_, err = v.OpenWithMaster([]byte("place"), lasting)
	require.ErrorIs(t, err, ErrAltered)
}

// TestForgetAllBut: keys that no sealed value needs go, those that are needed stay,
// and a value of which the slot has another key by now keeps nothing.
func TestForgetAllBut(t *testing.T) {
	t.Parallel()
	v, dir := newVault(t)
	old := sealAll(t, v, "a", "b")
	require.NoError(t, v.Forget(old...))
	sealed := sealAll(t, v, "c", "d", "e")
	require.Equal(t, slotOf(old[0]), slotOf(sealed[0]))
	require.NoError(t, v.ForgetAllBut(old[0], sealed[1], nil, []byte{1}))
	requireForgotten(t, v, "c", sealed[0])
	requireOpens(t, v, "d", sealed[1])
	requireForgotten(t, v, "e", sealed[2])
	assert.Equal(t, 1, v.Count())
	v = openVault(t, dir)
	assert.Equal(t, 1, v.Count())
}

// countedFile counts, and fails where it is told to.
type countedFile struct {
	medium
	writes, syncs int
	fail          func(op string) error
}

func (f *countedFile) WriteAt(p []byte, at int64) (int, error) {
	f.writes++
	if f.fail != nil {
		if err := f.fail("write"); err != nil {
			return 0, err
		}
	}
	return f.medium.WriteAt(p, at)
}

func (f *countedFile) Sync() error {
	f.syncs++
	if f.fail != nil {
		if err := f.fail("sync"); err != nil {
			return err
		}
	}
	return f.medium.Sync()
}

func counted(v *Vault) *countedFile {
	f := &countedFile{medium: v.slots.file}
	v.slots.file = f
	return f
}

// TestOneSyncForMany: ten thousand keys are made with one sync and forgotten with
// one, in a few writes.
func TestOneSyncForMany(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	f := counted(v)
	secrets := make([]string, 10_000)
	for i := range secrets {
		secrets[i] = fmt.Sprint(i)
	}
	sealed := sealAll(t, v, secrets...)
	assert.Equal(t, 1, f.syncs)
	assert.LessOrEqual(t, f.writes, 2, "the file grows, and they are written")
	requireOpens(t, v, "4321", sealed[4321])
	*f = countedFile{medium: f.medium}
	require.NoError(t, v.Forget(sealed...))
	assert.Equal(t, 1, f.syncs)
	assert.Equal(t, 1, f.writes)
	assert.Zero(t, v.Count())
	require.NoError(t, v.Forget(sealed...))
	assert.Equal(t, 1, f.syncs, "nothing is left to forget")
}

// TestKilledAtEveryWrite: whatever was written when the process ended, each key
// that is needed opens, each that was forgotten by an answered call does not, and
// the next start forgets the rest.
func TestKilledAtEveryWrite(t *testing.T) {
	t.Parallel()
	killed := errors.New("killed")
	for n, done := 0, false; !done; n++ {
		v, dir := newVault(t)
		first := sealAll(t, v, "a", "b", "c", "d")
		require.NoError(t, v.Forget(first[3]))
		left := n
		counted(v).fail = func(string) error {
			if left == 0 {
				return killed
			}
			left--
			return nil
		}
		forgotten := v.Forget(first[0], first[2]) // two writes, for b is between them
		keys, made := v.NewKeys(200)
		done = forgotten == nil && made == nil
		require.NoError(t, v.Close())

		v = openVault(t, dir)
		requireOpens(t, v, "b", first[1])
		requireForgotten(t, v, "d", first[3])
		if forgotten == nil {
			requireForgotten(t, v, "a", first[0])
			requireForgotten(t, v, "c", first[2])
		} else {
			require.ErrorIs(t, forgotten, installer.ErrStorage)
		}
		needed := [][]byte{first[1]}
		if made == nil {
			needed = append(needed, keys[7].Seal([]byte("e"), []byte("secret of e")))
		} else {
			require.ErrorIs(t, made, installer.ErrStorage)
		}
		require.NoError(t, v.ForgetAllBut(needed...))
		requireOpens(t, v, "b", first[1])
		requireForgotten(t, v, "a", first[0])
		requireForgotten(t, v, "c", first[2])
		require.Equal(t, len(needed), v.Count())
		if made == nil {
			requireOpens(t, v, "e", needed[1])
		}
	}
}

// TestForgetIsTriedAgain: what could not be overwritten is with the next call.
func TestForgetIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"write", "sync"} {
		v, _ := newVault(t)
		sealed := sealAll(t, v, "a", "b")
		f := counted(v)
		f.fail = func(what string) error {
			if what == op {
				return syscall.ENOSPC
			}
			return nil
		}
		require.ErrorIs(t, v.Forget(sealed[0]), installer.ErrStorage)
		_, err := v.NewKeys(1)
		require.ErrorIs(t, err, installer.ErrStorage, "it is not on disk")
		f.fail, f.syncs = nil, 0
		fresh := sealAll(t, v, "c")
		assert.NotEqual(t, slotOf(sealed[0]), slotOf(fresh[0]), "a slot that may not be overwritten is not used")
		require.NoError(t, v.Forget())
		assert.Equal(t, 2, f.syncs)
		requireForgotten(t, v, "a", sealed[0])
		requireOpens(t, v, "b", sealed[1])
		assert.Equal(t, 2, v.Count())
	}
}

// TestManyAtOnce: each has its own slot, and forgetting takes no one else's.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	v, dir := newVault(t)
	const workers, rounds = 8, 30
	stay := make([][]byte, workers)
	var working sync.WaitGroup
	for w := range workers {
		working.Go(func() {
			for n := range rounds {
				places := []string{fmt.Sprint("go", w, n), fmt.Sprint("stay", w)}
				sealed := sealAll(t, v, places...)
				requireOpens(t, v, places[0], sealed[0])
				assert.NoError(t, v.Forget(sealed[0], stay[w]))
				requireForgotten(t, v, places[0], sealed[0])
				stay[w] = sealed[1]
			}
		})
	}
	working.Wait()
	assert.Equal(t, workers, v.Count())
	v = openVault(t, dir)
	for w := range workers {
		requireOpens(t, v, fmt.Sprint("stay", w), stay[w])
	}
}

// TestFileThatIsNotOurs: a missing or another file refuses to start.
func TestFileThatIsNotOurs(t *testing.T) {
	t.Parallel()
	v, dir := newVault(t)
	sealed := sealAll(t, v, "a")
	require.NoError(t, v.Close())
	path := filepath.Join(dir, KeysName)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Zero(t, len(good)%4096, "it grows by whole pages")
	for name, bad := range map[string][]byte{"empty": {}, "short": good[:slotSize-1], "another": bytes.Repeat([]byte("x"), 64)} {
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_, err := Open(dir, Options{First: true})
		require.ErrorContains(t, err, path, name)
	}
	require.NoError(t, os.Remove(path))
	_, err = Open(dir, Options{})
	require.ErrorContains(t, err, "is missing")
	require.NoFileExists(t, path)

	require.NoError(t, os.WriteFile(path, good[:len(good)-7], 0o600)) // it was growing
	v = openVault(t, dir)
	requireOpens(t, v, "a", sealed[0])
	reader, err := Open(dir, Options{ReadOnly: true})
	require.NoError(t, err)
	requireOpens(t, reader, "a", sealed[0])
	require.ErrorIs(t, reader.Forget(sealed[0]), disk.ErrReadOnly)
	_, err = reader.NewKeys(1)
	require.ErrorIs(t, err, disk.ErrReadOnly)
	require.NoError(t, reader.Close())
	require.NoError(t, reader.Close())
	_, err = reader.Open([]byte("a"), sealed[0])
	require.ErrorIs(t, err, os.ErrClosed)
}

func BenchmarkNewKeysAndForget(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			v, _ := newVault(b)
			refs := make([][]byte, n)
			for b.Loop() {
				keys, err := v.NewKeys(n)
				require.NoError(b, err)
				for i := range keys {
					refs[i] = keys[i].Ref()
				}
				require.NoError(b, v.Forget(refs...))
			}
		})
	}
}
