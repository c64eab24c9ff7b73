package kv

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"tripod/store/disk"
)

// Tx is one transaction. A failed change is remembered and spoils the commit,
// so callers need not look at each one.
type Tx struct {
	b       *bbolt.Tx
	changes int
	err     error
}

func (t *Tx) table(table Table) *bbolt.Bucket {
	if found := t.b.Bucket([]byte(table.Name)); found != nil {
		return found
	}
	t.Damaged("table %q is missing", table.Name)
	return nil
}

// Fail spoils the transaction, unless err is nil.
func (t *Tx) Fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// Has reports whether there is such a table.
func (t *Tx) Has(table Table) bool { return t.b.Bucket([]byte(table.Name)) != nil }

// Get returns a value, which is good until the end of the transaction, or nil.
func (t *Tx) Get(table Table, key []byte) []byte { return t.table(table).Get(key) }

// Put stores val, which must not be changed afterwards.
func (t *Tx) Put(table Table, key, val []byte) {
	t.changes++
	t.Fail(t.table(table).Put(key, val))
}

// Del removes a key; one that is not there is fine.
func (t *Tx) Del(table Table, key []byte) {
	t.changes++
	t.Fail(t.table(table).Delete(key))
}

// DelAll removes the keys of a walk through the table; it says how many.
func (t *Tx) DelAll(table Table, walk iter.Seq2[[]byte, []byte]) int {
	var keys [][]byte
	for key := range walk {
		keys = append(keys, bytes.Clone(key))
	}
	for _, key := range keys {
		t.Del(table, key)
	}
	return len(keys)
}

// All walks the keys with the prefix. The body must not change the table.
func (t *Tx) All(table Table, prefix []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for k, v := range t.From(table, prefix) {
			if !bytes.HasPrefix(k, prefix) || !yield(k, v) {
				return
			}
		}
	}
}

// From walks the keys from one on. The body must not change the table.
func (t *Tx) From(table Table, first []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := t.table(table).Cursor()
		for k, v := c.Seek(first); k != nil && yield(k, v); k, v = c.Next() {
		}
	}
}

// AllBackwards walks the keys with the prefix, the last first.
func (t *Tx) AllBackwards(table Table, prefix []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := t.table(table).Cursor()
		var k, v []byte
		if after := Following(prefix); after != nil {
			k, _ = c.Seek(after)
		}
		if k == nil {
			k, v = c.Last()
		} else {
			k, v = c.Prev()
		}
		for ; k != nil && bytes.HasPrefix(k, prefix) && yield(k, v); k, v = c.Prev() {
		}
	}
}

// Following is the first key after all those with the prefix; nil: none.
func Following(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			after := bytes.Clone(prefix[:i+1])
			after[i]++
			return after
		}
	}
	return nil
}

// First returns the first key of a walk, and its value; nil: there is none.
func First(walk iter.Seq2[[]byte, []byte]) (key, val []byte) {
	for k, v := range walk {
		return k, v
	}
	return nil, nil
}

// Sequence is the number that SetSequence has stored with the table; 0: none.
func (t *Tx) Sequence(table Table) uint64 { return t.table(table).Sequence() }

// SetSequence stores it.
func (t *Tx) SetSequence(table Table, n uint64) {
	t.changes++
	t.Fail(t.table(table).SetSequence(n))
}

// ID is the transaction's number: that of the newest commit, for a reader.
func (t *Tx) ID() int { return t.b.ID() }

// Size is how far into its file the database has come, in bytes.
func (t *Tx) Size() int64 { return t.b.Size() }

// Damaged ends the transaction with disk.ErrDamaged.
func (t *Tx) Damaged(format string, args ...any) {
	panic(fmt.Errorf("%w: "+format, append([]any{disk.ErrDamaged}, args...)...))
}

// guarded calls fn and turns a panic of bbolt's, or a fault on its memory map,
// into disk.ErrDamaged: that is how a torn database shows itself.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if damaged, ok := r.(error); ok && errors.Is(damaged, disk.ErrDamaged) {
			err = damaged
		} else if r != nil {
			err = fmt.Errorf("%w: %v", disk.ErrDamaged, r)
		}
	}()
	return fn()
}
