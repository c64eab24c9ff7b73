package installer

import (
	"cmp"
	"strings"
	"time"

	"tripod/installer/lazyregexp"
)

// Edition is the API's version_type.
type Edition string

const (
	Basic   Edition = "BASIC_VERSION"
	Advance Edition = "ADVANCE_VERSION"
)

func (e Edition) Word() string {
	switch e {
	case Basic:
		return "basic"
	case Advance:
		return "advance"
	}
	return string(e)
}

// Package is one agent's archive in the package store.
type Package struct {
	BlobRef
	Target  string    `json:"target"`
	Edition Edition   `json:"edition"`
	Added   time.Time `json:"added"`
}

var digits = lazyregexp.New(`[0-9]+`)

// CompareVersions orders versions as people read them: numbers by their value.
func CompareVersions(a, b string) int {
	// A number becomes a digit, its length and its digits: more digits are more.
	key := func(version string) string {
		return digits().ReplaceAllStringFunc(version, func(n string) string {
			n = strings.TrimLeft(n, "0")
			return "0" + string(rune(len(n))) + n
		})
	}
	return cmp.Compare(key(a), key(b))
}
