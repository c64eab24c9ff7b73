package kv

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"

	"tripod/store/disk"
)

// A row is a checksum, a sequence number and JSON. bbolt has no checksums of
// its own below its meta pages: a sector that comes back as zeros must be
// noticed, not believed.
const rowHead = 12

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// NewRow encodes v; its sequence number is set by SealRow.
func NewRow(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	return append(make([]byte, rowHead, rowHead+len(body)), body...), err
}

// SealRow gives a new row its sequence number.
func SealRow(row []byte, seq uint64) []byte {
	binary.BigEndian.PutUint64(row[4:], seq)
	binary.BigEndian.PutUint32(row, crc32.Checksum(row[4:], castagnoli))
	return row
}

func checkRow(row []byte) error {
	if len(row) < rowHead || binary.BigEndian.Uint32(row) != crc32.Checksum(row[4:], castagnoli) {
		return fmt.Errorf("%w: a row does not match its checksum", disk.ErrDamaged)
	}
	return nil
}

// ReadRow decodes a row. disk.ErrDamaged if it is not as it was written.
func ReadRow(row []byte, v any) (seq uint64, err error) {
	if err := checkRow(row); err != nil {
		return 0, err
	}
	if err := json.Unmarshal(row[rowHead:], v); err != nil {
		return 0, fmt.Errorf("%w: a row cannot be read: %v", disk.ErrDamaged, err)
	}
	return binary.BigEndian.Uint64(row[4:]), nil
}

// GetRow reads the row of a key; nil if there is none.
func GetRow[T any](t *Tx, table Table, key []byte) (*T, error) {
	row := t.Get(table, key)
	if row == nil {
		return nil, nil
	}
	v := new(T)
	_, err := ReadRow(row, v)
	return v, err
}

// EachRow reads the rows whose keys have the prefix.
func EachRow[T any](t *Tx, table Table, prefix []byte, do func(key []byte, v *T) error) error {
	for key, row := range t.All(table, prefix) {
		v := new(T)
		if _, err := ReadRow(row, v); err != nil {
			return err
		}
		if err := do(key, v); err != nil {
			return err
		}
	}
	return nil
}

// PutRow encodes and stores v.
func (t *Tx) PutRow(table Table, key []byte, seq uint64, v any) {
	row, err := NewRow(v)
	if err != nil {
		t.Fail(err)
		return
	}
	t.Put(table, key, SealRow(row, seq))
}
