package installer

import (
	"cmp"
	"regexp"
	"strings"
	"time"
)

// Edition is the API's version_type.
type Edition string

const (
	Basic   Edition = "BASIC_VERSION"
	Advance Edition = "ADVANCE_VERSION"
)

// Word is the edition for people: basic or advance.
func (e Edition) Word() string {
	switch e {
	case Basic:
		return "basic"
	case Advance:
		return "advance"
	}
	return string(e)
}

// Package is one agent's archive in the package store. BlobRef has its content,
// architecture and version.
type Package struct {
	BlobRef
	Target  string    `json:"target"`
	Edition Edition   `json:"edition"`
	Added   time.Time `json:"added"`
}

// EditionOf tells the edition of an agent that was installed from the packages; empty if
// they do not tell, or do not agree.
func (s Spec) EditionOf(version string) Edition {
	var all, same []Edition
	for _, p := range s.Packages {
		if all = append(all, p.Edition); p.Version == version {
			same = append(same, p.Edition)
		}
	}
	if len(same) == 0 {
		same = all
	}
	for _, e := range same {
		if e != same[0] {
			return ""
		}
	}
	if len(same) == 0 {
		return ""
	}
	return same[0]
}

var digits = regexp.MustCompile(`[0-9]+`)

// CompareVersions orders versions as people read them: numbers by their value, the rest
// by its letters.
func CompareVersions(a, b string) int {
	// A number becomes a digit, its length and its digits: more digits are more.
	key := func(version string) string {
		return digits.ReplaceAllStringFunc(version, func(n string) string {
			n = strings.TrimLeft(n, "0")
			return "0" + string(rune(len(n))) + n
		})
	}
	return cmp.Compare(key(a), key(b))
}
