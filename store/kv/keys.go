package kv

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"time"

	"tripod/installer"
)

// Join makes a key of parts that hold no NUL; every part is followed by one,
// so that a key of fewer parts is a prefix of its longer ones only.
func Join(parts ...string) []byte {
	var key []byte
	for _, p := range parts {
		key = append(append(key, p...), 0)
	}
	return key
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

var idForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$`)

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
