package kv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
	"tripod/store/disk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var table = Table{Name: "table", Rows: true}

func newTest(t *testing.T) *DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	require.NoError(t, Create(path, []Table{table}, func(*Tx) error { return nil }))
	db, err := Open(path, []Table{table}, false)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// TestWalks: in the order of the keys, from both ends, and no further than the prefix.
func TestWalks(t *testing.T) {
	t.Parallel()
	db := newTest(t)
	require.NoError(t, db.Update(t.Context(), func(tx *Tx) error {
		for _, k := range []string{"a", "b\x00", "b\x001", "b\xff", "b\xff\xff", "c"} {
			tx.Put(table, []byte(k), []byte("of "+k))
		}
		return nil
	}))
	require.NoError(t, db.View(t.Context(), func(tx *Tx) error {
		var there, back []string
		for k := range tx.All(table, []byte("b")) {
			there = append(there, string(k))
		}
		for k := range tx.AllBackwards(table, []byte("b")) {
			back = append([]string{string(k)}, back...)
		}
		assert.Equal(t, []string{"b\x00", "b\x001", "b\xff", "b\xff\xff"}, there)
		assert.Equal(t, there, back)
		last, _ := First(tx.AllBackwards(table, []byte("b\xff")))
		assert.Equal(t, "b\xff\xff", string(last))
		next, val := First(tx.From(table, []byte("b\xff\xff\x00")))
		assert.Equal(t, "c of c", string(next)+" "+string(val))
		first, _ := First(tx.All(table, []byte("d")))
		assert.Nil(t, first)
		return nil
	}))
}

// TestRefusedWrites: those of a broken disk reach nobody, and say so.
func TestRefusedWrites(t *testing.T) {
	t.Parallel()
	db := newTest(t)
	db.Refuse(installer.ErrStorage)
	put := func(tx *Tx) error { tx.Put(table, []byte("k"), nil); return nil }
	require.ErrorIs(t, db.Update(t.Context(), put), installer.ErrStorage)
	db.Refuse(nil)
	require.NoError(t, db.Update(t.Context(), put))
	db.readOnly = true
	require.ErrorIs(t, db.Update(t.Context(), put), disk.ErrReadOnly)
}

// TestOneBadWriteSpoilsNobodyElses: a write that fails half-way is taken out
// of the shared transaction, and the rest is done again.
func TestOneBadWriteSpoilsNobodyElses(t *testing.T) {
	t.Parallel()
	db := newTest(t)
	bad := errors.New("half-way")
	const writers = 40
	results := make([]error, writers)
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			results[n] = db.Update(context.Background(), func(t *Tx) error {
				t.Put(table, fmt.Appendf(nil, "key-%d", n), []byte("x"))
				switch n % 4 {
				case 1:
					return bad
				case 2:
					panic("a fault in a page")
				}
				return nil
			})
		})
	}
	wg.Wait()
	for n, err := range results {
		var there bool
		require.NoError(t, db.View(t.Context(), func(tx *Tx) error {
			there = tx.Get(table, fmt.Appendf(nil, "key-%d", n)) != nil
			return nil
		}))
		switch n % 4 {
		case 1:
			require.ErrorIs(t, err, bad)
			require.False(t, there)
		case 2:
			require.ErrorIs(t, err, disk.ErrDamaged)
			require.ErrorIs(t, err, installer.ErrStorage)
			require.False(t, there)
		default:
			require.NoError(t, err)
			require.True(t, there)
		}
	}
}
