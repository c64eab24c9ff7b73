package store

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"time"

	"tripod/installer"
)

var (
	idForm   = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$`)
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$`)
)

// checkID guards ids that become names of files.
func checkID(what, id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("%s id %q: want 1–64 letters, digits, '-' or '_', the first a letter or digit", what, id)
	}
	return nil
}

func checkProject(project string) error {
	if !installer.ProjectForm.MatchString(project) {
		return fmt.Errorf("project %q: want 1–64 letters, digits, '-' or '_'", project)
	}
	return nil
}

// checkPart guards a string that becomes a part of a key.
func checkPart(what, s string, most int) error {
	if s == "" || len(s) > most || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%s: want 1–%d bytes without control characters", what, most)
	}
	return nil
}

// join makes a key of parts that hold no NUL; every part is followed by one,
// so that a key of fewer parts is a prefix of its longer ones only.
func join(parts ...string) []byte {
	n := len(parts) + 17
	for _, p := range parts {
		n += len(p)
	}
	key := make([]byte, 0, n)
	for _, p := range parts {
		key = append(append(key, p...), 0)
	}
	return key
}

// stamped appends time and sequence number to a key.
func stamped(key []byte, t time.Time, seq uint64) []byte {
	key = binary.BigEndian.AppendUint64(key, micros(t))
	return binary.BigEndian.AppendUint64(key, seq)
}

// micros is t in microseconds, rounded up so that nothing is early; 0 for the
// zero time and everything before 1970.
func micros(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	us := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		us++
	}
	return uint64(max(us, 0))
}

func fromMicros(us uint64) time.Time { return time.UnixMicro(int64(us)) }

// stampOf is the part of a key that stamped appended.
func stampOf(key []byte) []byte { return key[len(key)-16:] }
