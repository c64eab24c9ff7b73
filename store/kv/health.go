package kv

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"tripod/store/disk"
)

// The parts of bbolt's file format that are looked at before bbolt maps the
// file: a map that is longer than its file kills the process when it is read.
const (
	metaMagic  = 0xED0CDAED
	metaOffset = 16 // behind the page header
	metaSize   = 64
)

type dbMeta struct {
	pageSize, pages, txid uint64
}

// checkFile looks whether the file is whole, as far as its meta pages tell.
func checkFile(path string) error {
	f, err := disk.Open(path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return fmt.Errorf("%w: it is empty", disk.ErrDamaged)
	}
	newest, ok := readMeta(f, 0)
	for size := int64(1024); size <= 64<<10; size *= 2 {
		if m, found := readMeta(f, size); found && m.pageSize == uint64(size) && (!ok || m.txid > newest.txid) {
			newest, ok = m, true
		}
	}
	if !ok {
		return fmt.Errorf("%w: neither of its two meta pages is whole", disk.ErrDamaged)
	}
	if want := newest.pages * newest.pageSize; uint64(info.Size()) < want {
		return fmt.Errorf("%w: it is cut short, %d of at least %d bytes are there", disk.ErrDamaged, info.Size(), want)
	}
	return nil
}

func readMeta(r io.ReaderAt, page int64) (dbMeta, bool) {
	var b [metaSize]byte
	if _, err := r.ReadAt(b[:], page+metaOffset); err != nil {
		return dbMeta{}, false
	}
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56])
	if binary.NativeEndian.Uint32(b[:]) != metaMagic || binary.NativeEndian.Uint64(b[56:]) != sum.Sum64() {
		return dbMeta{}, false
	}
	return dbMeta{
		pageSize: uint64(binary.NativeEndian.Uint32(b[8:])),
		pages:    binary.NativeEndian.Uint64(b[40:]),
		txid:     binary.NativeEndian.Uint64(b[48:]),
	}, true
}

// Check walks every page that is in use and every row.
func (db *DB) Check(t *Tx) error {
	for _, b := range db.schema.Tables {
		if t.b.Bucket(b) == nil {
			return fmt.Errorf("%w: table %q is missing", disk.ErrDamaged, b)
		}
		for range t.All(b, nil) {
		}
	}
	for _, b := range db.schema.Rows {
		for k, v := range t.All(b, nil) {
			if err := checkRow(v); err != nil {
				return fmt.Errorf("%w (table %q, key %q)", err, b, k)
			}
		}
	}
	return nil
}
