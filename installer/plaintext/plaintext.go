// Package plaintext makes hostile text safe to show: what a host prints, and what a
// hosts file calls it, can hold escape sequences and controls that rewrite a terminal.
// Everywhere such text reaches a person's eyes it goes through here.
package plaintext

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s on one line: everything that is not printable is written as
// an escape (\n, \t, \x1b, \u202e), and so is every byte that is not UTF-8.
func Line(s string) string { return escape(s, false) }

// Text is Line for text of several lines: line ends and tabs stay.
func Text(s string) string { return escape(s, true) }

func escape(s string, lines bool) string {
	hidden := func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsPrint(r) && !(lines && (r == '\n' || r == '\t'))
	}
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case lines && strings.HasPrefix(s, "\r\n"):
			b.WriteByte('\n')
			n = 2
		case r == utf8.RuneError || !hidden(r):
			b.WriteRune(r)
		case strings.ContainsRune("\n\r\t", r):
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		s = s[n:]
	}
	return b.String()
}
