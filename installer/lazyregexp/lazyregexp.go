// Package lazyregexp compiles regular expressions at their first use: compiling all of
// them when the program starts took longer than many a command.
package lazyregexp

import (
	"regexp"
	"sync"
)

// Regexp returns the compiled expression.
type Regexp func() *regexp.Regexp

// New returns a Regexp that panics at its first use if the expression is malformed.
func New(expression string) Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

func (r Regexp) MatchString(s string) bool { return r().MatchString(s) }
