package store

import (
	"bytes"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"

	"go.etcd.io/bbolt"
)

// tx is one transaction. A failed change is remembered and spoils the commit,
// so callers need not look at each one.
type tx struct {
	b       *bbolt.Tx
	changes int
	opened  int64 // invocations that this adds to those that have not ended
	err     error
}

func (t *tx) bucket(b bucket) *bbolt.Bucket {
	if found := t.b.Bucket(b); found != nil {
		return found
	}
	// Caught by guarded. It cannot happen to a database that Open has passed.
	panic(fmt.Sprintf("table %q is missing", b))
}

// reading is bucket for those who only read: nil for a table that an older
// tripod has not made, which is empty to them.
func (t *tx) reading(b bucket) *bbolt.Bucket {
	if found := t.b.Bucket(b); found != nil {
		return found
	}
	if !t.b.Writable() && slices.ContainsFunc(newer, func(n bucket) bool { return bytes.Equal(n, b) }) {
		return nil
	}
	return t.bucket(b)
}

func (t *tx) get(b bucket, key []byte) []byte {
	table := t.reading(b)
	if table == nil {
		return nil
	}
	return table.Get(key)
}

// put stores val, which must not be changed afterwards.
func (t *tx) put(b bucket, key, val []byte) {
	t.changes++
	if err := t.bucket(b).Put(key, val); err != nil && t.err == nil {
		t.err = err
	}
}

func (t *tx) del(b bucket, key []byte) {
	t.changes++
	if err := t.bucket(b).Delete(key); err != nil && t.err == nil {
		t.err = err
	}
}

// putRow encodes and stores v.
func (t *tx) putRow(b bucket, key []byte, seq uint64, v any) {
	row, err := newRow(v)
	if err != nil {
		if t.err == nil {
			t.err = err
		}
		return
	}
	t.put(b, key, sealRow(row, seq))
}

// first returns the first key with the prefix, and its value.
func (t *tx) first(b bucket, prefix []byte) (key, val []byte) {
	table := t.reading(b)
	if table == nil {
		return nil, nil
	}
	k, v := table.Cursor().Seek(prefix)
	if k == nil || !bytes.HasPrefix(k, prefix) {
		return nil, nil
	}
	return k, v
}

// all walks the keys with the prefix. The body must not change the bucket.
func (t *tx) all(b bucket, prefix []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		table := t.reading(b)
		if table == nil {
			return
		}
		c := table.Cursor()
		for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if !yield(k, v) {
				return
			}
		}
	}
}

// from walks the keys from one on. The body must not change the bucket.
func (t *tx) from(b bucket, first []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		table := t.reading(b)
		if table == nil {
			return
		}
		c := table.Cursor()
		for k, v := c.Seek(first); k != nil && yield(k, v); k, v = c.Next() {
		}
	}
}

// allBackwards walks the keys with the prefix, the last first.
func (t *tx) allBackwards(b bucket, prefix []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		table := t.reading(b)
		if table == nil {
			return
		}
		c := table.Cursor()
		var k, v []byte
		if after := following(prefix); after == nil {
			k, v = c.Last()
		} else if k, _ = c.Seek(after); k == nil {
			k, v = c.Last()
		} else {
			k, v = c.Prev()
		}
		for ; k != nil && bytes.HasPrefix(k, prefix); k, v = c.Prev() {
			if !yield(k, v) {
				return
			}
		}
	}
}

// following is the first key after all those with the prefix; nil: none.
func following(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			after := bytes.Clone(prefix[:i+1])
			after[i]++
			return after
		}
	}
	return nil
}

// guarded calls fn and turns a panic of bbolt's, or a fault on its memory map,
// into ErrDamaged: that is how a torn database shows itself.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	return fn()
}
