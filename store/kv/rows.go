package kv

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"iter"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/lazyregexp"
	"tripod/store/disk"
)

// A row is a checksum, a sequence number and JSON. bbolt has no checksums below its meta pages: a
// sector that comes back as zeros must be noticed.
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

// RowNumber is the sequence number of a row, which is not checked.
func RowNumber(row []byte) uint64 { return binary.BigEndian.Uint64(row[4:]) }

// ReadRow decodes a row. disk.ErrDamaged if it is not as it was written.
func ReadRow(row []byte, v any) (seq uint64, err error) {
	if err := checkRow(row); err != nil {
		return 0, err
	}
	if err := json.Unmarshal(row[rowHead:], v); err != nil {
		return 0, fmt.Errorf("%w: a row cannot be read: %w", disk.ErrDamaged, err)
	}
	return RowNumber(row), nil
}

// ReadRow decodes a row. One that is damaged ends the transaction with
// disk.ErrDamaged, as a damaged page does.
func (t *Tx) ReadRow(row []byte, v any) (seq uint64) {
	seq, err := ReadRow(row, v)
	if err != nil {
		panic(err)
	}
	return seq
}

// GetRow reads the row of a key; nil if there is none.
func GetRow[T any](t *Tx, table Table, key []byte) *T {
	row := t.Get(table, key)
	if row == nil {
		return nil
	}
	v := new(T)
	t.ReadRow(row, v)
	return v
}

// Rows walks the rows whose keys have the prefix.
func Rows[T any](t *Tx, table Table, prefix []byte) iter.Seq2[[]byte, *T] {
	return func(yield func([]byte, *T) bool) {
		for key, row := range t.All(table, prefix) {
			v := new(T)
			t.ReadRow(row, v)
			if !yield(key, v) {
				return
			}
		}
	}
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

// Join makes a key of parts that hold no NUL; every part is followed by one,
// so that a key of fewer parts is a prefix of its longer ones only.
func Join(parts ...string) []byte {
	var key []byte
	for _, p := range parts {
		key = append(append(key, p...), 0)
	}
	return key
}

// Last is the last part of a key that Join made.
func Last(key []byte) string {
	key = key[:len(key)-1]
	return string(key[bytes.LastIndexByte(key, 0)+1:])
}

// Number makes a key of a number, in whose order it sorts.
func Number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Stamped appends time and sequence number to a key.
func Stamped(key []byte, t time.Time, seq uint64) []byte {
	key = binary.BigEndian.AppendUint64(key, Micros(t))
	return binary.BigEndian.AppendUint64(key, seq)
}

// StampOf is the part of a key that Stamped appended.
func StampOf(key []byte) []byte { return key[len(key)-16:] }

// Micros is t in microseconds, rounded up so that nothing is early; 0 for the
// zero time and everything before 1970.
func Micros(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.Add(time.Microsecond-1).UnixMicro(), 0))
}

// FromMicros is the time that Micros was made of.
func FromMicros(us uint64) time.Time { return time.UnixMicro(int64(us)) }

var idForm = lazyregexp.New(`^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$`)

// CheckID guards ids that become names of files.
func CheckID(what, id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("%s id %q: want 1–64 letters, digits, '-' or '_', the first a letter or digit", what, id)
	}
	return nil
}

// CheckProject guards the name of a project.
func CheckProject(project string) error {
	if !installer.ProjectForm.MatchString(project) {
		return fmt.Errorf("project %q: want 1–64 letters, digits, '-' or '_'", project)
	}
	return nil
}

// CheckPart guards a string that becomes a part of a key.
func CheckPart(what, s string, most int) error {
	if s == "" || len(s) > most || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%s: want 1–%d bytes without control characters", what, most)
	}
	return nil
}

// NotFound is installer.ErrNotFound, with what was looked for.
func NotFound(what, id string) error {
	return fmt.Errorf("%s %q: %w", what, id, installer.ErrNotFound)
}
