package installer

import (
	"cmp"
	"slices"
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

// EditionOf tells the edition of an agent that was installed from the packages;
// empty if they do not tell, or do not agree.
func (s Spec) EditionOf(version string) Edition {
	of := slices.DeleteFunc(slices.Clone(s.Packages), func(p BlobRef) bool { return p.Version != version })
	if len(of) == 0 {
		of = s.Packages
	}
	for _, p := range of {
		if p.Edition != of[0].Edition {
			return ""
		}
	}
	if len(of) == 0 {
		return ""
	}
	return of[0].Edition
}

// CompareVersions orders versions as people read them: numbers by their value,
// the rest by its letters.
func CompareVersions(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a = versionPart(a)
		y, b = versionPart(b)
		if isDigit(x[0]) && isDigit(y[0]) {
			x, y = trimZeros(x), trimZeros(y)
			if c := cmp.Compare(len(x), len(y)); c != 0 {
				return c
			}
		}
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// versionPart cuts off a run of digits, or of anything else.
func versionPart(s string) (part, rest string) {
	n := 1
	for n < len(s) && isDigit(s[n]) == isDigit(s[0]) {
		n++
	}
	return s[:n], s[n:]
}

func trimZeros(s string) string {
	for len(s) > 1 && s[0] == '0' {
		s = s[1:]
	}
	return s
}
