package tasks

import (
	"bytes"
)

// What only looked at its host is stored like any other work, but is no task of
// the API's: its facts have one part more, so that lists of tasks need not
// decode it to leave it out.

const (
	factParts = 6 // of a task's
	factCheck = "check"
)

// isCheckOnly tells the facts of what only looked at its host.
func isCheckOnly(facts []byte) bool { return bytes.Count(facts, []byte{0}) > factParts }
